"""Git remotes as people and tools write them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors.plugin import GitRemote, parse_remote
from speckitty_connectors.providers import remotes
from speckitty_connectors.providers.remotes import LONGEST, parse_slug

ALIASES = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com", "www.github.com": "github.com"}

READ = [
    # scp-like
    ("git@github.com:octo-org/hello.git", "github.com/octo-org/hello"),
    ("git@github.com:octo-org/hello", "github.com/octo-org/hello"),
    ("git@github.com:octo-org/hello/", "github.com/octo-org/hello"),
    ("git@github.com:octo-org/hello.git/", "github.com/octo-org/hello"),
    ("git@github.com:/octo-org/hello.git", "github.com/octo-org/hello"),
    ("git@github.com:octo-org//hello.git", "github.com/octo-org/hello"),
    ("github.com:octo-org/hello.git", "github.com/octo-org/hello"),
    ("octocat@github.com:octo-org/hello.git", "github.com/octo-org/hello"),
    ("octocat:hunter2@github.com:octo-org/hello.git", "github.com/octo-org/hello"),
    ("git@GitHub.com:octo-org/hello.git", "github.com/octo-org/hello"),
    ("git@github.com:Octo-Org/Hello.git", "github.com/Octo-Org/Hello"),
    ("git@gitlab.com:group/sub/deep/project.git", "gitlab.com/group/sub/deep/project"),
    ("git@ssh.github.com:octo-org/hello.git", "github.com/octo-org/hello"),
    ("org-6811672@github.com:octo-org/hello.git", "github.com/octo-org/hello"),
    ("git@github.com-work:octo-org/hello.git", "github.com-work/octo-org/hello"),
    ("git@localhost:octo-org/hello.git", "localhost/octo-org/hello"),
    ("git@10.0.0.7:octo-org/hello.git", "10.0.0.7/octo-org/hello"),
    ("git@git.example.internal:tools/hello.world.git", "git.example.internal/tools/hello.world"),
    ("  git@github.com:octo-org/hello.git\n", "github.com/octo-org/hello"),
    # ssh
    ("ssh://git@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("ssh://git@github.com/octo-org/hello", "github.com/octo-org/hello"),
    ("ssh://github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("ssh://git@github.com:22/octo-org/hello.git", "github.com/octo-org/hello"),
    ("ssh://git@ssh.github.com:443/octo-org/hello.git", "github.com/octo-org/hello"),
    ("ssh://git@altssh.gitlab.com:443/group/project.git", "gitlab.com/group/project"),
    ("ssh://git@ghe.example:2222/octo-org/hello.git", "ghe.example/octo-org/hello"),
    ("ssh://git:hunter2@ghe.example/octo-org/hello.git", "ghe.example/octo-org/hello"),
    ("SSH://git@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("git+ssh://git@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("ssh+git://git@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("ssh://git@[2001:db8::7]:2222/octo-org/hello.git", "2001:db8::7/octo-org/hello"),
    ("ssh://git@github.com//octo-org/hello.git", "github.com/octo-org/hello"),
    ("ssh://git@gitlab.example/~mona/hello.git", "gitlab.example/~mona/hello"),
    # https and http
    ("https://github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://github.com/octo-org/hello", "github.com/octo-org/hello"),
    ("https://github.com/octo-org/hello/", "github.com/octo-org/hello"),
    ("https://github.com/octo-org/hello.git/", "github.com/octo-org/hello"),
    ("https://github.com/octo-org/hello.git//", "github.com/octo-org/hello"),
    ("https://github.com:443/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://GITHUB.COM/octo-org/hello.git", "github.com/octo-org/hello"),
    ("HTTPS://github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://github.com./octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://www.github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("http://github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("http://ghe.example:80/octo-org/hello.git", "ghe.example/octo-org/hello"),
    ("http://ghe.example:8080/octo-org/hello.git", "ghe.example:8080/octo-org/hello"),
    ("https://ghe.example:8443/octo-org/hello.git", "ghe.example:8443/octo-org/hello"),
    ("https://octocat@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://octocat:hunter2@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://x-access-token:ghs_1_a.b.c@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://oauth2:glpat-abc@gitlab.com/group/sub/project.git", "gitlab.com/group/sub/project"),
    ("https://ghp_secret@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://:hunter2@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://octo%40cat:p%2Fw@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://a@b:hunter2@github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("https://github.com/octo-org/hello?access_token=hunter2", "github.com/octo-org/hello"),
    ("https://github.com/octo-org/hello#hunter2", "github.com/octo-org/hello"),
    ("https://gitlab.com/group/sub/project.git", "gitlab.com/group/sub/project"),
    ("https://github.com/octo-org/hello.git.git", "github.com/octo-org/hello.git"),
    ("https://github.com/octo-org/hello.wiki.git", "github.com/octo-org/hello.wiki"),
    ("https://github.com/octo-org/.github", "github.com/octo-org/.github"),
    ("https://github.com/octo_emu/hello_world-2.0", "github.com/octo_emu/hello_world-2.0"),
    ("https://github.com/octo-org/hello/tree/main", "github.com/octo-org/hello/tree/main"),
    ("https://[2001:db8::7]/octo-org/hello.git", "2001:db8::7/octo-org/hello"),
    # git
    ("git://github.com/octo-org/hello.git", "github.com/octo-org/hello"),
    ("git://github.com:9418/octo-org/hello.git", "github.com/octo-org/hello"),
    # other hosts' ways: Azure DevOps, Bitbucket, Gerrit, CodeCommit, sourcehut
    ("https://octo@dev.azure.com/octo/apollo/_git/hello", "dev.azure.com/octo/apollo/_git/hello"),
    ("git@ssh.dev.azure.com:v3/octo/apollo/hello", "ssh.dev.azure.com/v3/octo/apollo/hello"),
    ("https://octo.visualstudio.com/apollo/_git/hello", "octo.visualstudio.com/apollo/_git/hello"),
    ("git@bitbucket.org:octo/hello.git", "bitbucket.org/octo/hello"),
    ("ssh://git@altssh.bitbucket.org:443/octo/hello.git", "altssh.bitbucket.org/octo/hello"),
    ("https://bitbucket.example/scm/oct/hello.git", "bitbucket.example/scm/oct/hello"),
    ("ssh://mona@review.example:29418/tools/hello", "review.example/tools/hello"),
    (
        "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/hello",
        "git-codecommit.eu-west-1.amazonaws.com/v1/repos/hello",
    ),
    ("git@git.sr.ht:~mona/hello", "git.sr.ht/~mona/hello"),
    # self-managed hosts
    ("git@ghe.example:octo-org/hello.git", "ghe.example/octo-org/hello"),
    ("https://mona:hunter2@ghe.example:8443/octo-org/hello.git", "ghe.example:8443/octo-org/hello"),
    ("ssh://git@gitlab.example:2222/group/sub/sub/sub/project.git", "gitlab.example/group/sub/sub/sub/project"),
    ("https://example.org/gitlab/group/project.git", "example.org/gitlab/group/project"),
    ("https://xn--gthub-n4a.com/octo-org/hello.git", "xn--gthub-n4a.com/octo-org/hello"),
    ("https://github.com/octo-org/c++-hello.git", "github.com/octo-org/c++-hello"),
]

UNREADABLE = [
    "",
    "   ",
    "/srv/git/hello.git",
    "./hello.git",
    "../hello.git",
    "~/hello.git",
    "hello",
    "octo-org/hello",
    "github.com/octo-org/hello",
    "file:///srv/git/hello.git",
    "C:\\work\\hello",
    "C:/work/hello",
    "c:work/hello",
    "ftp://github.com/octo-org/hello.git",
    "ext::sh -c whoami",
    "javascript://github.com/octo-org/hello",
    "https://",
    "https:///octo-org/hello.git",
    "https://github.com",
    "https://github.com/",
    "https://github.com/hello.git",
    "https://github.com/octo-org/.git",
    "https://github.com/octo-org/../secrets/hello.git",
    "https://github.com/./hello.git",
    "https://github.com/octo-org/%2e%2e",
    "https://github.com/octo org/hello.git",
    "https://github.com:port/octo-org/hello.git",
    "https://github.com:99999/octo-org/hello.git",
    "https://octocat:hun/ter2@github.com/octo-org/hello.git",
    "https://octocat:12/ter2@github.com/octo-org/hello.git",
    "https://hun/ter2@github.com/octo-org/hello.git",
    "https://octocat:#hunter2@github.com/octo-org/hello.git",
    "https://hun.example/ter2/token#3@github.com/octo-org/hello.git",
    "https://[2001:db8::7/octo-org/hello.git",
    "https://github.com/octo-org/hello.git\nhttps://evil.example/a/b",
    "https://github.com/octo-org/he\x00llo.git",
    "https://gith\u00fcb.com/octo-org/hello.git",
    "https://g\u0456thub.com/octo-org/hello.git",
    "git@g\u0456thub.com:octo-org/hello.git",
    "https://github.com/octo\u2010org/hello.git",
    "https://github.com/octo-org/hello\u200b.git",
    "https://github.com/octo-org/\u202egit.olleh",
    "https://github\u3002com/octo-org/hello.git",
    "https://\uff47ithub.com/octo-org/hello.git",
    "https://github.com/octo-org/hello\u2028.git",
    "https://github.com\uff0focto-org/hello.git",
    "https://dev.azure.com/octo/apollo%20one/_git/hello",
    "https://github.com\\@evil.example/octo-org/hello.git",
    "git@github.com",
    "git@github.com:",
    "git@github.com:hello.git",
    "git@:octo-org/hello.git",
    "@github.com:octo-org/hello.git",
    "-oProxyCommand=x:octo-org/hello.git",
    "https://-x.example/octo-org/hello.git",
    "git@github.com:octo-org/hello.git?token=hunter2",
    "https://github.com/" + "a/" * LONGEST,
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_every_spelling_of_a_remote_comes_out_as_host_and_path(text: str, expected: str) -> None:
    """A remote in any spelling comes out as the host and the path of its repository."""
    assert str(parse_remote(text, host_aliases=ALIASES)) == expected


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_points_to_no_hosted_repository_is_none(text: str) -> None:
    """Local paths, other schemes and malformed or hostile texts give nothing at all."""
    assert parse_remote(text, host_aliases=ALIASES) is None


def test_a_host_that_ignores_case_gets_its_paths_in_lower_case() -> None:
    """Where a host tells paths apart by nothing but letters, two spellings of a repository are equal."""
    one = parse_remote("git@github.com:Octo-Org/Hello.GIT", case_sensitive=False)
    other = parse_remote("https://github.com/octo-org/hello", case_sensitive=False)
    assert one == other == GitRemote(host="github.com", path="octo-org/hello")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/git/group/project.git", "example.org/group/project"),
        ("https://example.org/git/group/sub/project", "example.org/group/sub/project"),
        ("git@example.org:group/project.git", "example.org/group/project"),
        ("ssh://git@example.org/group/project.git", "example.org/group/project"),
        ("https://example.org/group/project.git", "None"),
        ("https://example.org/gitlab/group/project.git", "None"),
        ("https://example.org/git/project.git", "None"),
    ],
)
def test_a_relative_root_is_cut_off_web_addresses_only(text: str, expected: str) -> None:
    """Below a relative root the path starts after it; what is outside isn't that host's; ssh knows no root."""
    assert str(parse_remote(text, root="/git")) == expected


@given(
    secret=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40),
    form=st.sampled_from(
        [
            "https://octocat:{}@github.com/octo-org/hello.git",
            "https://{}@github.com/octo-org/hello.git",
            "https://{}:x-oauth-basic@github.com/octo-org/hello.git",
            "ssh://git:{}@github.com/octo-org/hello.git",
            "octocat:{}@github.com:octo-org/hello.git",
            "https://github.com/octo-org/hello.git?token={}",
            "https://github.com/octo-org/hello.git#{}",
        ]
    ),
)
def test_no_credential_comes_out(secret: str, form: str) -> None:
    """Whatever password or token a remote holds, none of it is in what is returned."""
    assert "hunter2" not in str(parse_remote(form.format(f"{secret}/Hunter2"))).lower()
    assert "hunter2" not in str(parse_remote(form.format(f"Hunter2{secret}"))).lower()


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    """Any text is read or refused, never an exception; what is read has a host and at least two segments."""
    remote = parse_remote(text)
    assert remote is None or (remote.host and remote.path.count("/") >= 1)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("git@github.com:octo-org/hello.git", "ssh://github.com/octo-org/hello"),
        ("git://github.com/octo-org/hello", "ssh://github.com/octo-org/hello"),
        ("http://mona:hunter2@ghe.example/octo-org/hello.git", "https://ghe.example/octo-org/hello"),
        ("https://ghe.example:8443/octo-org/hello.git", "https://ghe.example:8443/octo-org/hello"),
        ("ssh://git@[2001:db8::7]:2222/octo-org/hello.git", "ssh://[2001:db8::7]/octo-org/hello"),
    ],
)
def test_a_remote_can_be_kept_as_a_url_and_read_again(text: str, url: str) -> None:
    """What is kept has no credential, says whether it was a web address, and reads as the same remote."""
    remote = parse_remote(text)
    assert remote is not None
    assert remote.url == url
    again = parse_remote(remote.url)
    assert (again, again and again.url) == (remote, url)


@given(st.sampled_from([text for text, _ in READ]))
def test_reading_a_kept_remote_changes_nothing_more(text: str) -> None:
    """Keeping and reading again is idempotent for every spelling."""
    remote = parse_remote(text)
    assert remote is not None
    again = parse_remote(remote.url)
    assert again is not None
    assert (again, again.url) == (remote, remote.url)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("octo-org/hello", "octo-org/hello"),
        ("/octo-org/hello.git/", "octo-org/hello"),
        ("group/sub/project", "group/sub/project"),
        ("hello", None),
        ("", None),
        ("octo-org/../hello", None),
        ("octo\u2010org/hello", None),
        ("octo org/hello", None),
        ("a/" * LONGEST, None),
    ],
)
def test_a_slug_is_a_path_of_two_segments_or_more(text: str, slug: str | None) -> None:
    """A slug comes out without slashes at its ends and without ``.git``; anything else is none."""
    assert parse_slug(text) == slug


def repeats(pattern: Any, *, inside: bool = False) -> Iterator[bool]:
    """Yield, for each unbounded repeat of a parsed pattern, whether it is inside of another one."""
    for name, argument in pattern:
        if str(name) in {"MAX_REPEAT", "MIN_REPEAT"}:
            _, most, body = argument
            unbounded = str(most) == "MAXREPEAT"
            if unbounded:
                yield inside
            yield from repeats(body, inside=inside or unbounded)
        elif str(name) == "SUBPATTERN":
            yield from repeats(argument[-1], inside=inside)
        else:
            assert str(name) in {"LITERAL", "NOT_LITERAL", "IN", "ANY"}


@pytest.mark.parametrize("name", ["_HOST", "_SEGMENT", "_SCP_LIKE"])
def test_no_pattern_repeats_a_repeat(name: str) -> None:
    """A repeat inside a repeat is what makes matching explode; there are none, nor look-arounds or alternatives."""
    parsed = import_module("re._parser").parse(getattr(remotes, name).pattern)
    assert not any(repeats(parsed))


def work(text: str) -> int:
    """Return how many lines and calls it takes to read a text."""
    count = 0

    def step(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal count
        count += 1
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        parse_remote(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "form",
    [
        "https://github.com/{}",
        "git@github.com:{}",
        "ssh://git@{}",
        "{}@github.com:a/b",
        "https://{}:x@github.com/a/b",
    ],
)
@pytest.mark.parametrize("unit", ["a", "a/", "/", ".", "@", ":", "a@", "a:", "[", "%2e"])
def test_twice_the_text_takes_at_most_twice_the_work(form: str, unit: str) -> None:
    """Reading is linear in the length, whatever is repeated where; and nothing longer than the limit is read."""
    short, twice = (work(form.format(unit * (length // len(unit)))) for length in (900, 1800))
    assert twice <= 2.1 * short + 20
    assert work(form.format(unit * LONGEST)) < 20

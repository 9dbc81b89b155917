"""Git remotes in all their spellings, brought to one: the host and the path of the repository.

Remotes are typed by people and copied from credentials files. What comes out never holds a user name, password
or token: those stand before the host or behind the path, and both parts are dropped or make the remote unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen

LONGEST = 2048
"""A longer text is no remote. Reading takes time linear in the length, so a hostile text costs little."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEMES = frozenset({*_DEFAULT_PORTS, "git", "git+ssh", "ssh", "ssh+git"})
_HOST = re.compile(r"[a-z0-9:][a-z0-9._:-]*")
_SEGMENT = re.compile(r"[A-Za-z0-9._+~-]+")
# What git's documentation calls scp-like: no scheme, and a colon before the first slash ("git-clone, GIT URLS").
# A host of one letter without a user is a Windows drive.
_SCP_LIKE = re.compile(r"(?:(?P<user>[^@:/\s]+(?::[^@/\s]*)?)@)?(?P<host>[^@:/\s\[\]]+):(?P<path>.*)")


@frozen(kw_only=True)
class GitRemote:
    """Where a git remote points, without its credentials.

    Attributes:
        host: name of the host in lower case, without a port.
        path: segments of the repository's path joined by ``/``, without ``.git``.
        port: port of an HTTP remote where it isn't the scheme's own; None for every other remote, whose port says
            nothing about the web address of the same host.
        over_http: whether it was a web address; it takes no part in comparisons, the repository is the same.

    >>> str(parse_remote("https://octocat:token@ghe.example:8443/octo-org/hello.git"))
    'ghe.example:8443/octo-org/hello'
    """

    host: str
    path: str
    port: int | None = None
    over_http: bool = field(default=False, eq=False)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.host}{port}/{self.path}"

    @property
    def url(self) -> str:
        """The remote as it can be kept and read again: ``https`` for every web address, else ``ssh``.

        >>> remote = parse_remote("git://octocat:token@ghe.example/octo-org/hello.git")
        >>> remote.url
        'ssh://ghe.example/octo-org/hello'
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        path = f"{self.path}.git" if self.path.endswith(".git") else self.path
        return f"{'https' if self.over_http else 'ssh'}://{host}{port}/{path}"


def parse_remote(
    text: str, *, root: str = "", case_sensitive: bool = True, host_aliases: Mapping[str, str] | None = None
) -> GitRemote | None:
    """Return where a remote points, or None for a local path, another scheme, or anything malformed.

    Args:
        text: the remote as it was configured: ``https://``, ``ssh://``, ``git://`` or ``git@host:path``.
        root: relative root under which the host serves its pages, for example ``/git``; an HTTP remote that is not
            below it is none of that host's.
        case_sensitive: whether the host tells paths apart by case; if it does not, they come out in lower case.
        host_aliases: host names that stand for another one, for example ``ssh.github.com`` for ``github.com``.

    >>> aliases = {"ssh.github.com": "github.com"}
    >>> str(parse_remote("ssh://git@ssh.github.com:443/octo-org/hello.git", host_aliases=aliases))
    'github.com/octo-org/hello'
    >>> parse_remote("../hello.git") is None
    True
    """
    text = text.strip()
    if len(text) > LONGEST or not text.isascii() or not text.isprintable() or "\\" in text:
        return None
    written = _from_url(text, root) if "://" in text else _from_scp_like(text)
    if written is None:
        return None
    host = written.host.lower().rstrip(".")
    path = _clean_path(written.path if case_sensitive else written.path.lower())
    if not path or not _HOST.fullmatch(host):
        return None
    host = (host_aliases or {}).get(host, host)
    return GitRemote(host=host, path=path, port=written.port, over_http=written.over_http)


def parse_slug(text: str) -> str | None:
    """Return a repository's path, ``owner/name`` or deeper, without ``.git``, or None where it is none.

    >>> parse_slug("/octo-org/hello.git"), parse_slug("hello")
    ('octo-org/hello', None)
    """
    text = text.strip()
    return None if len(text) > LONGEST else _clean_path(text) or None


def _from_url(text: str, root: str) -> GitRemote | None:
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        return None
    # An "@" behind the host is what a password with an unescaped "/", "?" or "#" leaves there.
    if url.scheme not in _SCHEMES or not host or "@" in url.path + url.query + url.fragment:
        return None
    if url.scheme not in _DEFAULT_PORTS:
        return GitRemote(host=host, path=url.path)
    path = _below(url, root)
    if path is None:
        return None
    port = None if port == _DEFAULT_PORTS[url.scheme] else port
    return GitRemote(host=host, path=path, port=port, over_http=True)


def _below(url: SplitResult, root: str) -> str | None:
    prefix = root.strip("/")
    path = url.path.lstrip("/")
    if not prefix:
        return path
    return path.removeprefix(f"{prefix}/") if path.startswith(f"{prefix}/") else None


def _from_scp_like(text: str) -> GitRemote | None:
    match = _SCP_LIKE.fullmatch(text)
    if match is None or (len(match["host"]) == 1 and match["user"] is None):
        return None
    return GitRemote(host=match["host"], path=match["path"])


def _clean_path(path: str) -> str:
    """Return the path without empty segments and ``.git``, or nothing where it can't be a hosted repository's."""
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) < 2:
        return ""
    segments[-1] = segments[-1].removesuffix(".git")
    if any(not _SEGMENT.fullmatch(segment) or segment in {".", ".."} for segment in segments):
        return ""
    return "/".join(segments)

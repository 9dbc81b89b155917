"""What the host observed of its projects: stored once, without credentials, for a while."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from speckitty_connectors import ConfigurationError, Signal
from speckitty_connectors.signals import repository
from speckitty_connectors.signals.observations import REASONS, Observation, SignalKind, Unusable, observe
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.signals.tables import signals as table
from speckitty_connectors.store.engine import Store
from testbed.clock import FrozenClock

SHA = "1f" * 20
SHA256 = "2e" * 32
DAY = 24 * 60 * 60


@pytest.fixture
def store(database_url: str, clock: FrozenClock) -> Iterator[Store]:
    """A store whose clock the test moves."""
    with closing(Store(database_url, clock=clock)) as opened:
        yield opened


@pytest.fixture
def signals(store: Store) -> Signals:
    """The service under test; what is older than ten days may be forgotten."""
    return Signals(store, retention_days=10)


def stored(store: Store, workspace: str = "w1") -> list[tuple[str, str, str]]:
    """Return what is stored of a workspace: project, kind and value."""
    with store.reading() as connection:
        rows = connection.execute(
            select(table).where(table.c.workspace_id == workspace).order_by("project_id", "kind", "value")
        )
        return [(row.project_id, row.kind, row.value) for row in rows]


def observed(signal: Signal) -> tuple[list[tuple[str, str]], Counter[str]]:
    """Return what a signal tells, and what of it can't be used."""
    parts = list(observe(signal))
    kept = [(part.kind.value, part.value) for part in parts if isinstance(part, Observation)]
    return kept, Counter(part.value for part in parts if isinstance(part, Unusable))


def test_a_signal_is_stored_part_by_part(signals: Signals, store: Store) -> None:
    """Each thing seen is a row of its own, and a mission's branch tells the mission too."""
    signal = Signal(
        project_id="apollo",
        remote_url="git@GitHub.com:Octo-Org/Hello.git",
        repo_slug="octo-org/hello",
        commits=(SHA.upper(), SHA256),
        branches=("main", "refs/heads/kitty/mission-web-12-01KQ3XYZ"),
    )
    assert signals.report(workspace="w1", signals=[signal]).stored == 7
    assert [(kind, value) for _, kind, value in stored(store)] == [
        ("branch", "kitty/mission-web-12-01KQ3XYZ"),
        ("branch", "main"),
        ("commit", SHA),
        ("commit", SHA256),
        ("feature", "web-12-01KQ3XYZ"),
        ("remote", "ssh://github.com/octo-org/hello"),
        ("ticket", "web"),
    ]


def test_the_same_report_twice_changes_nothing(signals: Signals, store: Store, clock: FrozenClock) -> None:
    """A repeat adds no rows; it only makes what is there younger, and an older one not even that."""
    signal = Signal(project_id="apollo", repo_slug="octo/hello", observed_at=clock() - timedelta(days=3))
    first = signals.report(workspace="w1", signals=[signal, signal])
    before = seen(store)
    assert signals.report(workspace="w1", signals=[signal]) == first
    assert seen(store) == before
    signals.report(workspace="w1", signals=[Signal(project_id="apollo", repo_slug="octo/hello")])
    assert seen(store) == [(before[0][0], clock())]
    signals.report(workspace="w1", signals=[signal])
    assert seen(store) == [(before[0][0], clock())]


def seen(store: Store) -> list[tuple[datetime, datetime]]:
    """Return when each row was first and last seen."""
    with store.reading() as connection:
        return [(row.first_seen, row.last_seen) for row in connection.execute(select(table))]


def test_a_moment_to_come_counts_as_now(signals: Signals, store: Store, clock: FrozenClock) -> None:
    """A clock that is ahead on somebody's machine makes nothing younger than it can be."""
    ahead = clock() + timedelta(days=400)
    signals.report(workspace="w1", signals=[Signal(project_id="apollo", repo_slug="o/h", observed_at=ahead)])
    assert seen(store) == [(clock(), clock())]


def test_workspaces_are_kept_apart(signals: Signals, store: Store) -> None:
    """The same project id and value in two workspaces are two rows, and each finds its own."""
    for workspace in ("w1", "w2"):
        signals.report(workspace=workspace, signals=[Signal(project_id="apollo", commits=(SHA,))])
    assert len(stored(store, "w1")) == len(stored(store, "w2")) == 1
    with store.reading() as connection:
        assert repository.find(connection, workspace="w3", kind=SignalKind.COMMIT, values={SHA}) == []


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (Signal(project_id="", repo_slug="octo/hello"), Unusable.PROJECT),
        (Signal(project_id="a\x00b", repo_slug="octo/hello"), Unusable.PROJECT),
        (Signal(project_id="apollo", remote_url="/srv/git/hello"), Unusable.REMOTE),
        (Signal(project_id="apollo", remote_url="https://github.com/" + "a" * 600 + "/b"), Unusable.REMOTE),
        (Signal(project_id="apollo", repo_slug="hello"), Unusable.SLUG),
        (Signal(project_id="apollo", commits=("abc1234",)), Unusable.COMMIT),
        (Signal(project_id="apollo", commits=("0" * 40,)), Unusable.COMMIT),
        (Signal(project_id="apollo", commits=("g" * 40,)), Unusable.COMMIT),
        (Signal(project_id="apollo", branches=("a\nb",)), Unusable.BRANCH),
        (Signal(project_id="apollo", branches=("",)), Unusable.BRANCH),
        (Signal(project_id="apollo", branches=("\ud800",)), Unusable.BRANCH),
        (Signal(project_id="apollo", feature_slugs=("x" * 600,)), Unusable.FEATURE),
        (Signal(project_id="apollo", repo_slug="o/h", observed_at=datetime(2026, 1, 1)), Unusable.MOMENT),  # noqa: DTZ001 - the case itself
    ],
)
def test_what_cannot_be_read_is_counted_with_its_reason(
    signals: Signals, store: Store, signal: Signal, reason: Unusable
) -> None:
    """Nothing of it is stored, the answer says why, and there are words for people."""
    report = signals.report(workspace="w1", signals=[signal, Signal(project_id="gemini", repo_slug="octo/menu")])
    assert (report.stored, dict(report.unusable)) == (1, {reason: 1})
    assert [project for project, _, _ in stored(store)] == ["gemini"]
    assert REASONS[reason]


def test_a_detached_head_is_nothing() -> None:
    """``HEAD`` instead of a branch says that none was checked out; that is neither kept nor a mistake."""
    assert observed(Signal(project_id="apollo", branches=("HEAD",))) == ([], Counter())


def test_letters_case_tells_no_repositories_apart() -> None:
    """However a host's name, a path or the suffix is spelled, it is found as one; the spelling is kept."""
    (part,) = observe(Signal(project_id="apollo", remote_url="git@GitHub.com:Octo/Hello.GIT"))
    assert isinstance(part, Observation)
    assert (part.value, part.label) == ("ssh://github.com/octo/hello", "ssh://github.com/Octo/Hello.GIT")


def test_a_ticket_at_the_beginning_of_a_slug_or_branch_is_found_by_its_key() -> None:
    """Missions that began with a ticket are called after it; the tracker's key is found in lower case."""
    kept, _ = observed(Signal(project_id="a", branches=("WEB-7-fix",), feature_slugs=("004-eng-12-cache",)))
    assert [part for part in kept if part[0] == "ticket"] == [("ticket", "web"), ("ticket", "eng")]


def test_a_slug_counts_only_where_no_remote_says_more() -> None:
    """A readable remote names the host too; an unreadable one leaves the slug."""
    remote, slug = "https://gitlab.com/octo/hello", "octo/hello"
    assert observed(Signal(project_id="a", remote_url=remote, repo_slug=slug))[0] == [("remote", remote)]
    kept, unusable = observed(Signal(project_id="a", remote_url="../hello", repo_slug=slug))
    assert (kept, unusable) == ([("slug", slug)], Counter(remote=1))


@given(
    secret=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    form=st.sampled_from(
        [
            "https://mona:{}@github.com/octo/hello.git",
            "https://{}@github.com/octo/hello.git",
            "mona:{}@github.com:octo/hello.git",
            "ssh://git:{}@github.com/octo/hello.git",
            "https://github.com/octo/hello.git?token={}",
            "https://github.com/octo/hello.git#{}",
        ]
    ),
)
def test_no_credential_is_kept(secret: str, form: str) -> None:
    """Whatever password or token a remote holds, neither value nor label of an observation has it."""
    for text in (f"{secret}/Hunter2", f"Hunter2{secret}"):
        parts = observe(Signal(project_id="apollo", remote_url=form.format(text)))
        assert not any("hunter2" in f"{p.value} {p.label}".lower() for p in parts if isinstance(p, Observation))


def test_what_is_old_is_forgotten(signals: Signals, store: Store, clock: FrozenClock) -> None:
    """The retention counts from when something was last observed; an explicit moment wins over it."""
    signals.report(workspace="w1", signals=[Signal(project_id="p", branches=("old", "both"))])
    signals.report(workspace="w2", signals=[Signal(project_id="p", branches=("theirs",))])
    clock.advance(9 * DAY)
    signals.report(workspace="w1", signals=[Signal(project_id="p", branches=("both",))])
    assert signals.forget_older(workspace="w1") == 0
    clock.advance(2 * DAY)
    assert signals.forget_older(workspace="w1") == 1
    assert stored(store) == [("p", "branch", "both")]
    assert signals.forget_older(workspace="w1", than=clock()) == 1
    assert len(stored(store, "w2")) == 1


def test_a_long_report_and_a_long_past_are_worked_off_in_turns(signals: Signals, clock: FrozenClock) -> None:
    """More than one transaction's worth is stored and forgotten as a whole."""
    many = (Signal(project_id="p", commits=(f"{number:040x}",)) for number in range(1, 2_502))
    assert signals.report(workspace="w1", signals=many).stored == 2_501
    assert signals.forget_older(workspace="w1", than=clock() + timedelta(days=1)) == 2_501


def test_a_value_of_many_projects_is_told_of_some(signals: Signals, store: Store) -> None:
    """However many projects share a value, a look-up stays small, and more than one stays more than one."""
    signals.report(workspace="w1", signals=[Signal(project_id=f"p{n:02}", commits=(SHA,)) for n in range(60)])
    with store.reading() as connection:
        found = repository.find(connection, workspace="w1", kind=SignalKind.COMMIT, values={SHA, SHA256})
    assert [sighting.project_id for sighting in found] == [f"p{n:02}" for n in range(repository.PROJECTS_PER_VALUE)]


def test_signals_of_no_workspace_are_refused(signals: Signals) -> None:
    """The empty workspace is the operator's, who has no projects."""
    with pytest.raises(ConfigurationError, match="belong to a workspace"):
        signals.report(workspace="", signals=[])

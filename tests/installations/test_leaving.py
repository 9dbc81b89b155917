"""Leaving: what nobody else needs is revoked or uninstalled at the provider, and each result is told as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

import pytest

from speckitty_connectors import Callback, Installation, OnboardingRefusedError, UserLink
from speckitty_connectors.links.types import LinkDone
from speckitty_connectors.standin import StandInRequest, StandInResponse
from testbed.played import Played, landing, open_played

Play = Callable[..., Played]

HERE = "/app/installations/4242"
GRANT = "/grant"


@pytest.fixture
def play(database_url: str) -> Iterator[Play]:
    """Open a host with the stand-in of a provider."""
    with ExitStack() as stack:

        def opened(provider: str, **stand_in: Any) -> Played:
            return stack.enter_context(open_played(provider, database_url, **stand_in))

        yield opened


def remove(played: Played, installation: Installation, *, uninstall: bool = False) -> str:
    """Remove an installation; return what became of it at the provider."""
    removed = played.connectors.onboarding.remove(
        workspace=installation.workspace, installation_id=installation.id, actor="member:mona", uninstall=uninstall
    )
    assert removed.installation.status == "removed"
    return removed.revocation


def link(played: Played, installation: Installation) -> UserLink:
    """Link mona under an installation."""
    links, visitor = played.connectors.links, played.visitor(installation.workspace)
    begun = links.begin(visitor=visitor, installation_id=installation.id)
    callback = Callback(provider=played.key, host=installation.host, parameters=landing(begun.url))
    done = links.complete(visitor=visitor, callback=callback)
    assert isinstance(done, LinkDone)
    return done.link


def deleted(played: Played, end: str) -> int:
    """Return how often something was deleted at the provider."""
    return len([path for path in played.provider.paths(method="DELETE") if path.endswith(end)])


def verbs(played: Played, workspace: str, verb: str) -> int:
    """Return how often a verb is in a workspace's audit."""
    return len(played.connectors.audit.find(workspace, verb=verb))


def test_an_app_is_uninstalled_only_where_a_person_agreed(play: Play) -> None:
    """Otherwise it is said that the app is still installed."""
    played = play("github")
    assert remove(played, played.connect()) == "still_installed"
    assert deleted(played, HERE) == 0
    assert remove(played, played.connect(), uninstall=True) == "uninstalled"
    assert deleted(played, HERE) == 1
    assert verbs(played, "w1", "credential.given_up") == 1


def test_an_app_that_another_workspace_uses_stays_installed(play: Play) -> None:
    """Only the last of them may uninstall it; what is gone already has nothing left."""
    played = play("github")
    first, second = played.connect("w1"), played.connect("w2")
    assert remove(played, first, uninstall=True) == "still_used"
    assert played.sync(second).complete
    assert remove(played, second, uninstall=True) == "uninstalled"
    assert remove(played, second, uninstall=True) == "nothing_kept"
    assert deleted(played, HERE) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (HTTPStatus.NOT_FOUND, "uninstalled"),
        (HTTPStatus.SERVICE_UNAVAILABLE, "failed"),
        (HTTPStatus.FORBIDDEN, "failed"),
    ],
)
def test_a_provider_that_refuses_is_told_as_it_was(play: Play, status: HTTPStatus, expected: str) -> None:
    """The installation is removed here in any case; what isn't there any more is uninstalled."""
    played = play("github")
    installation = played.connect()

    def answer(request: StandInRequest, stand_in: Callable[[], StandInResponse]) -> StandInResponse:
        return StandInResponse(status=status, document={}) if request.method == "DELETE" else stand_in()

    played.provider.answer = answer
    assert remove(played, installation, uninstall=True) == expected


def test_a_persons_grant_is_deleted_with_their_last_link(play: Play) -> None:
    """It is one for all that they linked, in whatever workspace."""
    played = play("github")
    first, second = (link(played, played.connect(workspace)) for workspace in ("w1", "w2"))
    results = [
        played.connectors.links.revoke(
            workspace=each.workspace, link_id=each.id, actor="member:mona", reason="I leave"
        ).revocation
        for each in (first, second)
    ]
    assert results == ["still_used", "revoked"]
    assert deleted(played, GRANT) == 1


def test_the_holders_of_an_account_hear_of_each_further_claim(play: Play) -> None:
    """Whoever connects it later is in the audit of those who have it; who it was isn't."""
    played = play("slack")
    first = played.connect("w1")
    assert verbs(played, "w1", "installation.shared") == 0
    second = played.connect("w2")
    begun = played.connectors.onboarding.reauthorise(visitor=played.visitor("w2"), installation_id=second.id)
    played.walk(begun, "w2")
    (told,) = played.connectors.audit.find("w1", verb="installation.shared")
    assert (told.entity_id, told.actor, "w2" in str(told)) == (first.id, "system", False)
    assert verbs(played, "w2", "installation.shared") == 0
    remove(played, second)
    played.connect("w2")
    assert verbs(played, "w1", "installation.shared") == 2


def test_a_member_of_a_slack_workspace_does_not_connect_it(play: Play) -> None:
    """Slack says who is an admin, or an owner; only they may, unless the operator wants it otherwise."""
    played = play("slack")
    played.provider.stand_in.is_admin = False
    with pytest.raises(OnboardingRefusedError, match="neither an owner nor an admin"):
        played.connect()
    assert played.connectors.installations("w1") == []


@pytest.mark.parametrize(
    ("said", "is_connected"), [("missing_scope", False), ("unknown_method", True), ("fatal_error", False)]
)
def test_a_slack_that_does_not_say_who_is_an_admin(play: Play, said: str, is_connected: bool) -> None:
    """Nobody gets past by declining a scope; a Slack without that method has no proof to offer."""
    played = play("slack")

    def answer(request: StandInRequest, stand_in: Callable[[], StandInResponse]) -> StandInResponse:
        refused = StandInResponse(document={"ok": False, "error": said})
        return refused if request.path.endswith("/users.info") else stand_in()

    played.provider.answer = answer
    if is_connected:
        assert played.connect().status == "active"
        return
    with pytest.raises(Exception, match=r"users:read|answered 503"):
        played.connect()


def test_two_installations_of_one_app_that_leave_at_once(play: Play) -> None:
    """One of them is the last, whichever it is."""
    played = play("slack", rotates=False)
    made = [played.connect("w1"), played.connect("w2")]
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda each: remove(played, each), made))
    assert sorted(results) == ["revoked", "still_used"]

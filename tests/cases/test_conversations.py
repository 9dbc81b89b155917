"""The recorded conversations: what providers were seen to answer, and what has to become of it, for each provider.

Each test names its case, and holds the expected words beside it, so that a case that changes fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import pytest
from attrs import evolve, frozen

from speckitty_connectors import (
    ApiThrottledError,
    Installation,
    InstallationStatus,
    MappingState,
    ResourceReference,
    StatusReason,
    Target,
)
from speckitty_connectors.installations.inventory import SyncInterruptedError
from speckitty_connectors.installations.statuses import Action
from speckitty_connectors.standin import StandInRequest, StandInResponse
from testbed.played import PROVIDERS, Answer, Played

Play = Callable[..., Played]
Stand = Callable[[], StandInResponse]

LISTINGS = ("/installation/repositories", "/projects", "/project/search", "/graphql", "/conversations.list")
"""Where providers are asked for what there is to map."""

TOKENS = ("/oauth/token", "/oauth.v2.access")
"""Where they are asked for new tokens."""

HOUR = 3600.0
UNAUTHORIZED = StandInResponse(status=HTTPStatus.UNAUTHORIZED, document={"message": "Bad credentials"})
SLACK_UNAUTHORIZED = StandInResponse(document={"ok": False, "error": "invalid_auth"})
UNAVAILABLE = StandInResponse(status=HTTPStatus.SERVICE_UNAVAILABLE, document={})
BAD_GATEWAY = StandInResponse(status=HTTPStatus.BAD_GATEWAY, document={})


def refused(played: Played) -> StandInResponse:
    """Return how the provider refuses a token."""
    return SLACK_UNAUTHORIZED if played.key == "slack" else UNAUTHORIZED


def instead(
    response: StandInResponse,
    *ends: str,
    times: int = 10**6,
    where: Callable[[StandInRequest], bool] = lambda _: True,
) -> Answer:
    """Return what answers so many of the requests for some paths in place of the stand-in."""
    left = [response] * min(times, 100)

    def answer(request: StandInRequest, stand_in: Stand) -> StandInResponse:
        fits = request.path.endswith(ends) and where(request) and left
        return left.pop() if fits else stand_in()

    return answer


def changed(change: Callable[[StandInRequest, Any], Any], *ends: str, headers: bool = True) -> Answer:
    """Return what lets the stand-in answer, and changes the documents of some paths."""

    def answer(request: StandInRequest, stand_in: Stand) -> StandInResponse:
        response = stand_in()
        if not request.path.endswith(ends):
            return response
        kept = response.headers if headers else {}
        return evolve(response, document=change(request, response.document), headers=kept)

    return answer


def mapped(played: Played) -> Installation:
    """Connect, list, and map the first resource."""
    installation = played.connect()
    played.sync(installation)
    played.map(installation)
    return installation


def is_well(played: Played, installation: Installation) -> None:
    """Hold that the installation is active, and that nobody has anything to do."""
    now = played.installation(installation)
    assert (now.status, now.status_reason, now.next_step.action) == (InstallationStatus.ACTIVE, "", Action.NONE)
    assert now.credential_id == installation.credential_id
    states = {each.state for each in played.connectors.mappings.list(workspace=installation.workspace)}
    assert states <= {MappingState.ACTIVE}


@pytest.mark.parametrize("key", PROVIDERS)
def test_a_fresh_token_that_is_refused_once(play: Play, key: str, conversation_cases: Mapping[str, Any]) -> None:
    """A new one is minted, or bought, and nobody notices."""
    case = conversation_cases["fresh-token-refused-once"]
    assert (case["providers"], case["expected"]) == (["github"], "active, 3 resources, nothing for a person to do")
    played = play(key)
    installation = played.connect()
    played.provider.answer = instead(refused(played), *LISTINGS, times=1)
    assert played.sync(installation).complete
    is_well(played, installation)


@pytest.mark.parametrize("key", PROVIDERS[1:])
def test_a_refused_token_while_no_new_one_is_to_be_had(
    play: Play, key: str, conversation_cases: Mapping[str, Any]
) -> None:
    """It is degraded with the reason, and a minute later active by itself."""
    case = conversation_cases["token-endpoint-down-while-refused"]
    assert case["providers"] == list(PROVIDERS[1:])
    assert case["expected"] == "degraded with the reason in between, then active by itself"
    played = play(key)
    installation = mapped(played)

    def answer(request: StandInRequest, stand_in: Stand) -> StandInResponse:
        return UNAVAILABLE if request.path.endswith(TOKENS) else refused(played)

    played.provider.answer = answer
    played.advance(25 * HOUR)
    assert len(played.connectors.upkeep.run().failed) == 1
    between = played.installation(installation)
    reasons = {StatusReason.RENEWAL_FAILING, StatusReason.ACCESS_REFUSED}
    assert (between.status, between.status_reason in reasons) == (InstallationStatus.DEGRADED, True)
    assert between.next_step.action is Action.WAIT
    played.provider.answer = lambda request, stand_in: stand_in()
    played.advance(60)
    assert played.connectors.upkeep.run().failed == ()
    is_well(played, installation)


def test_a_limit_that_only_the_body_tells(play: Play, conversation_cases: Mapping[str, Any]) -> None:
    """It is waited out like any other, and never taken for a missing permission."""
    case = conversation_cases["github-secondary-limit"]
    assert case["expected"] == "waited out; never told as a missing permission"
    played = play("github")
    limit = StandInResponse(
        status=HTTPStatus.FORBIDDEN,
        headers={"x-ratelimit-remaining": "4310"},
        document={
            "message": "You have exceeded a secondary rate limit.",
            "documentation_url": "https://docs.github.com/rest/rate-limits#about-secondary-rate-limits",
        },
    )
    for path in ("/user/installations", "/memberships/orgs/octo-org"):
        played.provider.answer = instead(limit, path, times=1)
        with pytest.raises(ApiThrottledError, match="again in 60 seconds"):
            played.connect()  # nobody is kept waiting at a browser for so long
    installation = played.connect()
    played.provider.answer = instead(limit, *LISTINGS, times=1)
    assert played.sync(installation).complete
    assert sum(played.clock.slept) >= 60
    is_well(played, installation)


def test_a_proxy_that_calls_itself_by_another_host(play: Play, conversation_cases: Mapping[str, Any]) -> None:
    """Page 2 is requested where page 1 came from, and no header goes elsewhere."""
    case = conversation_cases["gitlab-behind-a-proxy"]
    expected = "page 2 is asked of https://git.acme.example/gitlab; no header goes elsewhere"
    assert case["expected"] == expected
    played = play("gitlab")
    installation = played.connect()

    def answer(request: StandInRequest, stand_in: Stand) -> StandInResponse:
        response = stand_in()
        links = {
            name: value.replace(request.web, "http://internal.example:8080")
            for name, value in response.headers.items()
        }
        return evolve(response, headers=links)

    played.provider.answer = answer
    found = played.sync(installation)
    assert (found.listed, found.complete) == (27, True)
    pages = [
        request.query.get("page", "1") for request in played.provider.asked if request.path.endswith("/projects")
    ]
    assert pages == ["1", "2", "3"]


@frozen(kw_only=True)
class Short:
    """How a first page looks that ends too early although the provider counts more."""

    change: Callable[[StandInRequest, Any], Any]
    headers: Mapping[str, str]


SHORT: Mapping[str, Short] = {
    "github": Short(change=lambda _, page: {**page, "total_count": 30}, headers={}),
    "gitlab": Short(change=lambda _, page: page, headers={"X-Total": "30"}),
    "jira": Short(change=lambda _, page: {**page, "total": 30, "isLast": True}, headers={}),
}


@pytest.mark.parametrize("key", SHORT)
def test_a_first_page_that_counts_more_than_it_gives(
    play: Play, key: str, conversation_cases: Mapping[str, Any]
) -> None:
    """The listing has failed and says why; nothing is orphaned, however often it comes."""
    case = conversation_cases["first-page-without-link"]
    assert case["expected"] == "the listing failed and says why; nothing is orphaned"
    played = play(key)
    installation = mapped(played)
    short = SHORT[key]

    def answer(request: StandInRequest, stand_in: Stand) -> StandInResponse:
        response = stand_in()
        if not request.path.endswith(LISTINGS):
            return response
        return evolve(response, document=short.change(request, response.document), headers=short.headers)

    played.provider.answer = answer
    for _ in range(3):
        played.advance(25 * HOUR)
        with pytest.raises(SyncInterruptedError, match=r"counts 30 resources, and gave 10"):
            played.sync(installation)
    is_well(played, installation)


@pytest.mark.parametrize("key", ["github", "gitlab", "jira"])
def test_an_entry_that_is_deleted_between_two_pages(
    play: Play, key: str, conversation_cases: Mapping[str, Any]
) -> None:
    """The one that slipped onto the page before isn't orphaned; the deleted one is missing in the end."""
    case = conversation_cases["entry-deleted-between-pages"]
    assert (case["providers"], case["expected"]) == (["github", "jira"], "entry 11 isn't orphaned")
    played = play(key)
    installation = mapped(played)
    slipped = next(
        each
        for each in played.connectors.inventory.resources("w1", installation.id)
        if each.key.endswith(("10", "11"))
    )
    played.connectors.mappings.create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind=slipped.kind, id=slipped.external_id),
        target=Target(kind="project", id="luna"),
        actor="member:mona",
    )

    def without(entries: Sequence[Any]) -> list[Any]:
        return [each for each in entries if str(each["id"]) != slipped.external_id]

    def change(_: StandInRequest, page: Any) -> Any:
        if isinstance(page, list):
            return without(page)
        return {
            name: without(value) if name in {"repositories", "values"} else value for name, value in page.items()
        }

    played.provider.answer = changed(change, *LISTINGS)
    played.advance(25 * HOUR)
    played.connectors.upkeep.run()
    is_well(played, installation)
    played.provider.answer = lambda request, stand_in: stand_in()
    played.advance(25 * HOUR)
    played.connectors.upkeep.run()
    is_well(played, installation)


def test_no_sites_for_a_moment(play: Play, conversation_cases: Mapping[str, Any]) -> None:
    """The grant is kept, and an hour later all is as it was."""
    case = conversation_cases["no-sites-for-a-moment"]
    assert case["expected"] == "degraded, then active; the grant was never deleted"
    played = play("jira")
    installation = mapped(played)
    played.provider.answer = instead(StandInResponse(document=[]), "/accessible-resources", times=1)
    with pytest.raises(SyncInterruptedError):
        played.sync(installation)
    between = played.installation(installation)
    assert (between.status, between.credential_id) == (InstallationStatus.DEGRADED, installation.credential_id)
    played.advance(25 * HOUR)
    assert played.connectors.upkeep.run().failed == ()
    is_well(played, installation)


ODD = (
    lambda pair: {**pair, "expires_in": "7200.0"},
    lambda pair: {**pair, "expires_in": None, "scope": 7},
    lambda pair: {name: value for name, value in pair.items() if name not in {"scope", "expires_in", "token_type"}},
)
"""What token responses were seen to have in place of what RFC 6749, section 5.1, says."""


@pytest.mark.parametrize("odd", ODD, ids=["lifetime", "both", "neither"])
@pytest.mark.parametrize("key", PROVIDERS[1:])
def test_an_odd_lifetime(
    play: Play, key: str, odd: Callable[[Any], Any], conversation_cases: Mapping[str, Any]
) -> None:
    """The new pair is kept, and the old one is never presented again."""
    case = conversation_cases["odd-lifetime"]
    assert (case["providers"], case["expected"]) == (["gitlab"], "the new pair is kept")
    played = play(key)
    installation = mapped(played)
    renewed = changed(lambda _, pair: odd(pair), *TOKENS)
    first = instead(refused(played), *LISTINGS, times=1)

    def answer(request: StandInRequest, stand_in: Stand) -> StandInResponse | None:
        return (renewed if request.path.endswith(TOKENS) else first)(request, stand_in)

    played.provider.answer = answer
    played.provider.asked.clear()
    assert played.sync(installation).complete
    assert len([path for path in played.provider.paths() if path.endswith(TOKENS)]) == 1
    played.provider.answer = lambda request, stand_in: stand_in()
    assert played.sync(installation).complete
    is_well(played, installation)


def test_a_query_after_a_gateway_error(play: Play, conversation_cases: Mapping[str, Any]) -> None:
    """A query is repeated like a GET; what changes something isn't."""
    case = conversation_cases["query-after-a-gateway-error"]
    assert case["expected"] == "one listing, retried; a mutation is not"
    played = play("linear")
    installation = played.connect()
    played.provider.answer = instead(BAD_GATEWAY, "/graphql", times=1)
    played.provider.asked.clear()
    assert played.sync(installation).complete
    queries = [json.loads(request.body)["operationName"] for request in played.provider.asked]
    assert queries == ["Teams", "Teams", "Teams", "Projects"]
    is_well(played, installation)


def test_one_of_two_workspaces_leaves(play: Play, conversation_cases: Mapping[str, Any]) -> None:
    """The token that both were given is revoked when the second one leaves, too."""
    case = conversation_cases["slack-one-of-two-workspaces-leaves"]
    assert case["expected"] == (
        "auth.revoke isn't called; the second goes on; when it leaves too, the token is revoked"
    )
    played = play("slack", rotates=False)
    first, second = played.connect("w1"), played.connect("w2")
    assert played.remove(first).revocation == "still_used"
    assert "/api/auth.revoke" not in played.provider.paths()
    assert played.sync(second).complete
    is_well(played, second)
    assert played.remove(second).revocation == "revoked"
    assert played.provider.paths().count("/api/auth.revoke") == 1

"""Every way to come back with something that isn't yours, or isn't from where you were sent: all are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from speckitty_connectors import Callback, ConfigurationError, Refused, Visitor
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.conversations.refusals import OnboardingRefusedError, Refusal
from speckitty_connectors.credentials.tables import conversations, credentials
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.plugin import Authorize, Redirect
from speckitty_connectors.store.metadata import OPERATOR
from testbed.desk import SESSION, Desk, manifest_of, open_desk, state_in, strict

ISSUER = "https://issuer.example"


class Other(FakeProvider):
    """A second provider beside the one under test."""

    manifest = manifest_of("other")


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A desk with one registered host."""
    with open_desk(database_url) as opened:
        yield opened


def refused(attempt: Callable[[], object]) -> str:
    """Return why an attempt was refused."""
    with pytest.raises(OnboardingRefusedError) as caught:
        attempt()
    assert caught.value.remedy
    return caught.value.refusal


WRONG: dict[str, tuple[Refusal, Callable[[Desk, dict[str, str]], object]]] = {
    "foreign session": (Refusal.SESSION_MISMATCH, lambda desk, brought: desk.complete(brought, session="another")),
    "other host": (Refusal.HOST_MISMATCH, lambda desk, brought: desk.complete(brought, host="fake.example")),
    "other provider": (Refusal.PROVIDER_MISMATCH, lambda desk, brought: desk.complete(brought, provider="other")),
    "other workspace": (
        Refusal.WORKSPACE_MISMATCH,
        lambda desk, brought: desk.complete(brought, workspace="w2"),
    ),
    "other member": (Refusal.MEMBER_MISMATCH, lambda desk, brought: desk.complete(brought, member="eve")),
    "other address": (
        Refusal.REDIRECT_MISMATCH,
        lambda desk, brought: desk.complete(brought, address="https://saas.example/callback/"),
    ),
    "error": (
        Refusal.DENIED,
        lambda desk, brought: desk.complete({"state": brought["state"], "error": "access_denied"}),
    ),
    "error with code": (
        Refusal.ANSWER_CONTRADICTORY,
        lambda desk, brought: desk.complete({**brought, "error": "access_denied"}),
    ),
    "no code": (Refusal.CODE_MISSING, lambda desk, brought: desk.complete({"state": brought["state"]})),
    "empty code": (Refusal.CODE_MISSING, lambda desk, brought: desk.complete({**brought, "code": ""})),
    "link": (
        Refusal.STATE_UNKNOWN,
        lambda desk, brought: desk.links.complete(
            visitor=Visitor(workspace="w1", member="mona", session=SESSION),
            callback=Callback(parameters=brought, **desk.place),
        ),
    ),
    "choice": (
        Refusal.STATE_UNKNOWN,
        lambda desk, brought: desk.choose(brought["state"], "7"),
    ),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_does_not_fit_is_refused_audited_and_used_up(desk: Desk, how: str) -> None:
    """Before any code is exchanged, and so that not even the rightful person can use the state afterwards."""
    desk.registry.register(Other())
    refusal, attempt = WRONG[how]
    brought = desk.server.approve(desk.begin().url)
    assert refused(lambda: attempt(desk, brought)) == refusal
    assert desk.server.exchanges == []
    assert desk.refusals() == [refusal]
    assert refused(lambda: desk.complete(brought)) == Refusal.STATE_USED


@pytest.mark.parametrize(
    ("brought", "refusal"),
    [({}, "state_missing"), ({"state": ""}, "state_missing"), ({"state": "x", "code": "c"}, "state_unknown")],
)
def test_a_return_without_a_state_of_ours_is_refused(desk: Desk, brought: dict[str, str], refusal: str) -> None:
    """It belongs to no workspace, so the operator's audit tells of it."""
    assert refused(lambda: desk.complete(brought)) == refusal
    assert desk.refusals(OPERATOR) == [refusal]
    assert desk.server.exchanges == []


def test_a_state_is_good_once(desk: Desk) -> None:
    """The second return with it is refused, although the first succeeded."""
    brought = desk.server.approve(desk.begin().url)
    assert isinstance(desk.complete(brought), Done)
    assert refused(lambda: desk.complete(brought)) == Refusal.STATE_USED
    assert len(desk.server.exchanges) == 1


@pytest.mark.parametrize(("seconds", "late"), [(599, False), (600, True), (3000, True)])
def test_a_state_is_good_for_ten_minutes(desk: Desk, seconds: int, late: bool) -> None:
    """Up to then it connects, from then on it is refused as expired."""
    brought = desk.server.approve(desk.begin().url)
    desk.clock.advance(seconds)
    if late:
        assert refused(lambda: desk.complete(brought)) == Refusal.STATE_EXPIRED
    else:
        assert isinstance(desk.complete(brought), Done)


def test_another_members_state_is_refused_in_ones_own_browser(desk: Desk) -> None:
    """Whoever sends a colleague their own half-finished link connects nothing for them."""
    attackers = desk.server.approve(desk.begin(workspace="w2", member="eve", session="the browser of eve").url)
    assert refused(lambda: desk.complete(attackers)) == Refusal.SESSION_MISMATCH
    assert desk.refusals("w2") == [Refusal.SESSION_MISMATCH]


def test_a_code_is_exchanged_with_its_own_verifier_and_redirect_uri(desk: Desk) -> None:
    """A code from another conversation, put into this one, is refused by the provider and by us."""
    stolen = desk.server.approve(desk.begin(workspace="w2", member="eve", session="the browser of eve").url)
    mine = desk.server.approve(desk.begin().url)
    assert refused(lambda: desk.complete({**mine, "code": stolen["code"]})) == Refusal.CODE_REFUSED
    assert desk.refusals() == [Refusal.CODE_REFUSED]


def test_a_code_is_good_once(desk: Desk) -> None:
    """A code that connected before doesn't connect under a new state."""
    first = desk.server.approve(desk.begin().url)
    desk.complete(first)
    again = {"state": state_in(desk.begin().url), "code": first["code"]}
    assert refused(lambda: desk.complete(again)) == Refusal.CODE_USED
    assert len(desk.server.exchanges) == 1


@pytest.mark.parametrize(
    ("issuer", "good"), [(ISSUER, True), (f"{ISSUER}/", False), ("https://evil.example", False), (None, False)]
)
def test_an_expected_issuer_must_be_named_exactly(database_url: str, issuer: str | None, good: bool) -> None:
    """An answer of another authorisation server, or of one that hides its name, is refused (RFC 9207)."""
    with open_desk(database_url, manifest=strict(issuer=ISSUER)) as desk:
        brought = desk.server.approve(desk.begin().url)
        brought |= {"iss": issuer} if issuer else {}
        if good:
            assert isinstance(desk.complete(brought), Done)
        else:
            assert refused(lambda: desk.complete(brought)) == Refusal.ISSUER_MISMATCH
            assert desk.server.exchanges == []


def test_too_few_scopes_are_refused_and_named(database_url: str) -> None:
    """What is needed and wasn't granted is told to the person, and nothing is connected."""
    with open_desk(database_url, manifest=strict(required_scopes=("boards:read", "boards:write"))) as desk:
        with pytest.raises(OnboardingRefusedError) as caught:
            desk.connect()
        assert (caught.value.refusal, caught.value.what.endswith(": boards:write")) == ("scopes_missing", True)


def test_a_plugins_refusal_keeps_its_own_words(desk: Desk) -> None:
    """Its code, reason and remedy reach the person, and its code the audit."""
    desk.plugin.accounts = lambda conversation: (
        Refused(code="not_an_owner", reason="You don't own it.", remedy="Ask an owner.")
        if conversation.grant
        else Authorize()
    )
    with pytest.raises(OnboardingRefusedError) as caught:
        desk.connect()
    assert (caught.value.refusal, caught.value.what, caught.value.remedy) == (
        "not_an_owner",
        "You don't own it.",
        "Ask an owner.",
    )
    assert desk.refusals() == ["not_an_owner"]


@pytest.mark.parametrize("missing", ["workspace", "member", "session"])
def test_a_conversation_belongs_to_somebody(desk: Desk, missing: str) -> None:
    """Without a workspace, a member or a browser session none begins, and none goes on."""
    with pytest.raises(ConfigurationError, match="a workspace, a member and a browser session"):
        desk.begin(**{missing: ""})
    brought = desk.server.approve(desk.begin().url)
    with pytest.raises(ConfigurationError, match="a workspace, a member and a browser session"):
        desk.complete(brought, **{missing: ""})
    assert desk.server.exchanges == []


def test_nothing_that_opens_anything_is_stored_in_the_clear(desk: Desk) -> None:
    """Neither the state nor the session nor the verifier can be read in the database."""
    state = state_in(desk.begin().url)
    with desk.store.reading() as connection:
        kept = connection.execute(select(conversations)).one()
        sealed = connection.execute(select(credentials).where(credentials.c.kind == "conversation")).one()
    text = f"{kept} {sealed}"
    assert state not in text
    assert SESSION not in text
    assert sealed.id == kept.credential_id
    desk.complete(desk.server.approve(desk.begin().url))
    assert desk.server.exchanges[0]["code_verifier"].encode() not in sealed.sealed


def test_what_nobody_came_back_for_is_deleted_with_its_secrets(desk: Desk) -> None:
    """An hour after it expired, the next conversation sweeps it away."""
    desk.begin()
    desk.clock.advance(2 * 3600)
    desk.begin()
    with desk.store.reading() as connection:
        assert len(connection.execute(select(conversations)).all()) == 1
        kinds = list(connection.execute(select(credentials.c.kind)).scalars())
    assert kinds.count("conversation") == 1


def test_a_plugin_never_sees_what_is_cores_business(desk: Desk) -> None:
    """Codes, states and issuers are taken out before the plugin is asked."""
    desk.plugin.accounts = lambda conversation: (
        Authorize()
        if conversation.parameters
        else Redirect(url=f"https://fake.example/?state={conversation.state}")
    )
    landing = {"state": state_in(desk.begin().url), "code": "c", "iss": "i", "installation_id": "42"}
    desk.complete(landing)
    assert dict(desk.plugin.seen[-1].parameters) == {"installation_id": "42"}
    assert desk.plugin.seen[-1].state != landing["state"]

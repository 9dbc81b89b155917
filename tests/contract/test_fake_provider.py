"""The provider that lives in memory, through the registry as a host would use it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors import (
    Account,
    App,
    BaseUrls,
    Capability,
    Change,
    Event,
    ExternalIdentity,
    GitFacts,
    Handshake,
    Ignored,
    Lifecycle,
    Refused,
    ResourceReference,
    Signal,
    Target,
)
from speckitty_connectors.contract.fake import DEMO_RESOURCES, FakeProvider
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import (
    Authorize,
    ChooseAccount,
    Connected,
    Conversation,
    Delivery,
    Grant,
    Linked,
    Listing,
    Outcome,
    SuggestionRequest,
)

FAKE = Registry(entry_points=[]).register(FakeProvider())
APP = App(
    provider="fake",
    host="fake.example",
    client_id="c",
    urls=BaseUrls(web="https://fake.example", api="https://api.fake.example"),
)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def conversation(details: dict[str, object] | None = None, choice: tuple[str, ...] = ()) -> Conversation:
    """Return the first step, or the one after a grant whose token answer has these fields."""
    grant = None if details is None else Grant(scopes=("boards:read",), session=None, details=details)
    return Conversation(app=APP, state="s", grant=grant, choice=choice)


def route(content: bytes) -> Outcome:
    """Return what a delivery with this body means."""
    return FAKE.route_event(
        Delivery(provider="fake", host="fake.example", kind="card", content=content, received_at=NOON)
    )


def test_it_has_every_capability() -> None:
    """The fake provider supports every hook fully."""
    assert {FAKE.manifest.capabilities[capability].level for capability in Capability} == {"full"}


def test_installing_asks_for_a_grant_first() -> None:
    """Without a grant both conversations run the OAuth flow."""
    assert (FAKE.install(conversation()), FAKE.link_user(conversation())) == (Authorize(), Authorize())


def test_installing_connects_the_granted_account() -> None:
    """The token answer's account is connected, with who granted it."""
    details: dict[str, object] = {"account": {"id": "a1", "name": "Acme"}, "installation": 7, "user": {"id": "u1"}}
    assert FAKE.install(conversation(details)) == Connected(
        accounts=(Account(id="a1", name="Acme"),),
        installation="7",
        scopes=("boards:read",),
        connected_by=ExternalIdentity(id="u1"),
    )


def test_a_grant_over_several_accounts_asks_which() -> None:
    """A grant over several accounts lets a person pick, and only what the grant reaches can be picked."""
    details: dict[str, object] = {"accounts": [{"id": "a1"}, {"id": "a2"}]}
    first, second = Account(id="a1"), Account(id="a2")
    assert FAKE.install(conversation(details)) == ChooseAccount(accounts=(first, second), several=True)
    assert FAKE.install(conversation(details, ("a2", "stranger"))) == Connected(
        accounts=(second,), scopes=("boards:read",)
    )
    assert isinstance(FAKE.install(conversation(details, ("stranger",))), Refused)


@pytest.mark.parametrize("details", [{}, {"account": "a1"}, {"account": None}, {"accounts": []}, {"accounts": 3}])
def test_a_grant_without_an_account_is_refused(details: dict[str, object]) -> None:
    """A token answer without a readable account connects nothing."""
    assert isinstance(FAKE.install(conversation(details)), Refused)


def test_linking_names_the_person() -> None:
    """The token answer's user is the linked identity; without one the link is refused."""
    assert FAKE.link_user(conversation({"user": {"id": "u1", "name": "mona"}})) == Linked(
        identity=ExternalIdentity(id="u1", name="mona")
    )
    assert isinstance(FAKE.link_user(conversation({})), Refused)


def listing(cursor: str = "", page_size: int = 2) -> Listing:
    """Return a request for resources from a cursor on."""
    return Listing(
        app=APP,
        account=Account(id="a1"),
        session=None,  # type: ignore[arg-type]  # the fake provider calls nobody
        cursor=cursor,
        page_size=page_size,
    )


def test_a_listing_resumes_after_any_page() -> None:
    """Resuming at the cursor of a page yields exactly the resources after it."""
    first, second = FAKE.list_resources(listing())
    assert first.resources + second.resources == DEMO_RESOURCES
    assert list(FAKE.list_resources(listing(first.cursor))) == [second]
    assert second.cursor == ""


def test_an_empty_listing_is_one_empty_page() -> None:
    """A provider without resources yields one page without a cursor."""
    [page] = FakeProvider(resources=()).list_resources(listing())
    assert (page.resources, page.cursor) == ((), "")


def test_a_resource_that_fits_two_projects_is_left_to_a_person() -> None:
    """A board is suggested for the one project that names it, and for none when two do."""
    signals = tuple(
        Signal(project_id=project, repo_slug=slug)
        for project, slug in [
            ("apollo", "kitchen/menu"),
            ("gemini", "kitchen/orders"),
            ("vostok", "kitchen/orders"),
        ]
    )
    request = SuggestionRequest(
        host="fake.example", web="https://fake.example", resources=DEMO_RESOURCES, signals=signals
    )
    [suggestion] = FAKE.suggest_mappings(request)
    assert (suggestion.resource_id, suggestion.target) == ("b1", Target(kind="project", id="apollo"))


def body(**fields: Any) -> bytes:
    """Return a delivery's body."""
    return json.dumps(fields).encode()


def test_an_event_carries_what_the_document_says() -> None:
    """A document with a board is an event, the board before its space, its time in UTC."""
    document = body(
        event="card",
        action="moved",
        installation="7",
        account={"id": "a1"},
        board={"id": "b1", "key": "kitchen/menu"},
        space={"id": "s1"},
        actor={"id": "u1", "name": "mona"},
        git={"branch": "main", "commits": ["a" * 40]},
        subject="#12",
        at="2026-01-02T14:00:00+02:00",
        extra={"never": "mind"},
    )
    assert route(document) == Event(
        kind="card",
        action="moved",
        installation="7",
        account=Account(id="a1"),
        resources=(
            ResourceReference(kind="board", id="b1", key="kitchen/menu"),
            ResourceReference(kind="space", id="s1"),
        ),
        actor=ExternalIdentity(id="u1", name="mona"),
        git=GitFacts(branch="main", commits=("a" * 40,)),
        subject="#12",
        occurred_at=NOON,
    )


def test_a_change_is_a_lifecycle() -> None:
    """A document with a change tells of the provider's own state."""
    document = body(change="resource_renamed", installation="7", board={"id": "b1", "key": "new"}, former=["old"])
    assert route(document) == Lifecycle(
        change=Change.RESOURCE_RENAMED,
        installation="7",
        resources=(ResourceReference(kind="board", id="b1", key="new"),),
        former=("old",),
    )


def test_a_ping_is_a_handshake() -> None:
    """The event ping only asks whether somebody is there."""
    assert route(body(event="ping")) == Handshake()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"board": {}}',
        b'{"board": {"id": 1}}',
        b'{"change": "exploded"}',
        b'{"event": "\xed\xa0\x80", "board": {"id": "1"}}',
        b'{"at": "0001-01-01T00:00:00+14:00", "board": {"id": "1"}}',
        b'{"extra": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda content: content[:24].decode(errors="replace"),
)
def test_what_cannot_be_read_is_ignored(content: bytes) -> None:
    """A body that isn't a document of this provider, or names nothing to route, is ignored with a reason."""
    outcome = route(content)
    assert isinstance(outcome, Ignored)
    assert outcome.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = st.sampled_from(["event", "action", "change", "installation", "account", "board", "space", "git", "at"])


@given(st.binary() | st.dictionaries(FIELDS, JSON).map(json.dumps).map(str.encode))
def test_no_body_raises(content: bytes) -> None:
    """Whatever the bytes are, there is an outcome."""
    assert isinstance(route(content), Outcome)

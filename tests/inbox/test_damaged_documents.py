"""What a provider signed is stored and handed over, whatever in it can't be text or a number."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors import Event, Registry
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.request import readable
from speckitty_connectors.plugin import Delivery
from testbed.providers import Host

CUT, NUL, VAST, DIGITS, LATIN = rb'"caf\ud83d"', rb'"a\u0000b"', b"1e999", b"9" * 5000, b'"caf\xe9"'
ODD = {"half a pair": CUT, "NUL": NUL, "1e999": VAST, "5,000 digits": DIGITS, "not UTF-8": LATIN}

DOCUMENTS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "github": (
        {"X-GitHub-Event": "issues", "X-GitHub-Delivery": "d-1"},
        {
            "action": "opened",
            "repository": {
                "id": 1296,
                "full_name": "octo/shop",
                "owner": {"id": 7, "login": "octo", "type": "User"},
            },
            "installation": {"id": 77},
            "sender": {"id": 3, "login": "READ", "type": "User"},
            "issue": {"number": 5, "title": "UNREAD"},
        },
    ),
    "gitlab": (
        {"X-Gitlab-Event": "Issue Hook", "X-Gitlab-Webhook-UUID": "w-1"},
        {
            "object_kind": "issue",
            "event_type": "issue",
            "user": {"id": 3, "username": "READ", "name": "READ"},
            "project": {"id": 701, "path_with_namespace": "acme/shop", "web_url": "https://gitlab.com/acme/shop"},
            "object_attributes": {"id": 9, "iid": 5, "title": "UNREAD", "action": "open"},
        },
    ),
    "jira": (
        {"X-Atlassian-Webhook-Identifier": "j-1"},
        {
            "webhookEvent": "jira:issue_created",
            "timestamp": 1767607200000,
            "user": {"accountId": "a-1", "displayName": "READ"},
            "issue": {
                "id": "10001",
                "key": "SHOP-5",
                "self": "https://acme.atlassian.net/rest/api/2/10001",
                "fields": {"summary": "UNREAD", "project": {"id": "10000", "key": "SHOP", "name": "READ"}},
            },
        },
    ),
    "linear": (
        {"Linear-Event": "Issue", "Linear-Delivery": "l-1"},
        {
            "action": "update",
            "type": "Issue",
            "organizationId": "o-1",
            "webhookTimestamp": 0,
            "actor": {"id": "u-1", "name": "READ", "type": "user"},
            "data": {"id": "i-1", "teamId": "t-1", "identifier": "READ", "description": "UNREAD"},
        },
    ),
    "slack": (
        {},
        {
            "type": "event_callback",
            "event_id": "Ev1",
            "team_id": "T1",
            "api_app_id": "A1",
            "event": {"type": "message", "channel": "C1", "user": "U1", "subtype": "READ", "text": "UNREAD"},
        },
    ),
}
"""Provider key → headers and a document with members that its plugin reads, and such that nobody reads."""


def body_of(provider: str, member: str, odd: bytes) -> bytes:
    """Return a provider's document with something odd where members are read, or where nobody reads."""
    document = DOCUMENTS[provider][1]
    if "webhookTimestamp" in document:
        document = {**document, "webhookTimestamp": int(utc_now().timestamp() * 1000)}
    return re.sub(rb'"%s"' % member.encode(), lambda _: odd, json.dumps(document).encode())


@pytest.mark.parametrize("provider", DOCUMENTS)
def test_what_cannot_be_text_is_accepted_stored_and_routed(host: Host, provider: str) -> None:
    """Half a pair, NUL, a number beyond all bounds, other bytes, read or not: an event, its body as it came."""
    bodies = [body_of(provider, member, odd) for member in ("READ", "UNREAD") for odd in ODD.values()]
    answers = [host.post(host.endpoint(provider), DOCUMENTS[provider][0], body) for body in bodies]
    assert set(answers) == {(202, "accepted")}
    found = [(each.state, each.outcome, each.body) for each in host.routed()]
    assert found == [("done", "event", body) for body in bodies]


def test_the_recorded_title_that_was_refused(host: Host, delivery_cases: Mapping[str, Any]) -> None:
    """The recorded case: a title that ends in half of a pair."""
    (step,) = delivery_cases["lone-surrogate"]["steps"]
    body = step["raw_body"].encode()
    assert rb"\ud83d" in body
    assert host.post(host.endpoint("github"), step["headers"], body) == (202, "accepted")
    assert [(each.state, each.outcome, each.body) for each in host.routed()] == [("done", "event", body)]


@pytest.mark.parametrize("odd", ["\ud83d", "a\ud83d b"])
def test_an_id_that_cannot_be_text_is_no_id(host: Host, odd: str) -> None:
    """A document whose own id can't be read is known by its content."""
    body = json.dumps({**DOCUMENTS["slack"][1], "event_id": odd}).encode()
    assert host.post(host.endpoint("slack"), {}, body) == (202, "accepted")
    (stored,) = host.routed()
    assert stored.delivery_id.startswith("sha256:")


@pytest.mark.parametrize("provider", DOCUMENTS)
def test_what_is_read_reads_with_a_replacement_character(provider: str) -> None:
    """The plugin sees U+FFFD where the text was cut, and the rest of it."""

    def told(odd: bytes) -> Event:
        delivery = Delivery(
            provider=provider,
            host="h",
            kind=next(iter(DOCUMENTS[provider][0].values()), ""),
            content=readable(body_of(provider, "READ", odd)),
            received_at=datetime(2026, 1, 2, tzinfo=UTC),
        )
        outcome = Registry().provider(provider).route_event(delivery)
        assert isinstance(outcome, Event)
        return outcome

    texts = [
        (event.actor.name if event.actor else "", event.subject, event.action)
        for event in (told(CUT), told(b'"ok"'))
    ]
    assert any("caf\ufffd" in text for text in texts[0])
    assert [text.replace("caf\ufffd", "ok") for text in texts[0]] == list(texts[1])


# --- the law ---------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
VALUES = st.recursive(
    TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def mended(value: Any) -> Any:
    """Return a value as it should read, by a way of its own."""
    match value:
        case str():
            return re.sub("[\x00\ud800-\udfff]", "\ufffd", value)
        case list():
            return [mended(each) for each in value]
        case dict():
            return {mended(name): mended(each) for name, each in value.items()}
        case _:
            return value


@given(value=st.dictionaries(TEXTS, VALUES, max_size=4))
def test_every_document_can_be_read_and_says_the_same(value: dict[str, Any]) -> None:
    """Whatever letters are in it, every decoder takes it, and only what can't be text has become U+FFFD."""
    # Half pairs that meet are a whole character, as every decoder reads them.
    whole = json.loads(json.dumps(value))
    document = json.dumps(value).encode()
    assert msgspec.json.decode(readable(document)) == mended(whole)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (rb'{"a": "\\ud83d"}', rb'{"a": "\\ud83d"}'),
        (rb'{"a": "\ud83d\ude00"}', rb'{"a": "\ud83d\ude00"}'),
        (rb'{"a": "\ude00\ud83d", "b": "x, 1e999"}', rb'{"a": "\ufffd\ufffd", "b": "x, 1e999"}'),
        (b'{"a": [-1e400,1E+309, 1e308, 1e-999]}', b'{"a": [null,null, 1e308, 1e-999]}'),
        (rb'{"a": "\ud83d', rb'{"a": "\ufffd'),
        (b'{"a": "\\', b'{"a": "\\'),
        (b'{"a": NaN}', b'{"a": NaN}'),
    ],
)
def test_nothing_else_is_touched(document: bytes, expected: bytes) -> None:
    """A backslash that is escaped, a whole pair, a number in a text, and what isn't JSON stay as they are."""
    assert readable(document) == expected

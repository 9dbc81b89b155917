"""Deliveries recorded by others over many years: each has the outcome that the facts say, whatever is odd in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors.plugin import Change, Delivery, Event, Handshake, Ignored, Lifecycle, Outcome
from speckitty_connectors_slack import plugin

CHANNEL_AT: dict[str, tuple[str, ...]] = {
    "app_mention": ("event", "channel"),
    "block_actions": ("channel", "id"),
    "channel_history_changed": ("event", "channel"),
    "channel_left": ("event", "channel"),
    "channel_unarchive": ("event", "channel"),
    "dialog_cancellation": ("channel", "id"),
    "file_shared": ("event", "channel_id"),
    "file_unshared": ("event", "channel_id"),
    "group_archive": ("event", "channel"),
    "group_left": ("event", "channel"),
    "interactive_message": ("channel", "id"),
    "link_shared": ("event", "channel"),
    "member_joined_channel": ("event", "channel"),
    "member_left_channel": ("event", "channel"),
    "message": ("event", "channel"),
    "pin_added": ("event", "channel_id"),
    "reaction_added": ("event", "item", "channel"),
    "star_removed": ("event", "item", "channel"),
    "view_submission": ("response_urls", "0", "channel_id"),
}
"""Where each kind has its channel, by Slack's reference of events and interactions."""

CHANGES: dict[str, Change] = {
    "channel_left": Change.RESOURCES_REMOVED,
    "channel_unarchive": Change.RESOURCE_RESTORED,
    "grid_migration_finished": Change.RESUMED,
    "group_archive": Change.RESOURCE_ARCHIVED,
    "group_left": Change.RESOURCES_REMOVED,
    "team_access_granted": Change.RESOURCES_ADDED,
}
"""The kinds that always tell of a change."""

OUR_BOT = {"bolt-member_left_channel-left_event_body-6.json": Change.RESOURCES_REMOVED}
"""Recordings in which the member is the bot of the authorisation."""

REVOKED = {
    "bolt-tokens_revoked-tokens_revoked_body.json": Change.CREDENTIAL_REVOKED,
    "bolt-tokens_revoked-tokens_revoked_body-2.json": Change.CREDENTIAL_REVOKED,
}
"""Recordings that name whose tokens were revoked; in others the ids are blank."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)

Recorded = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> Recorded:
    """File name, event kind and document of each recorded delivery."""
    folder = corpus / "slack"
    index = json.loads((folder / "index.json").read_bytes())
    return [(entry["file"], entry["event"], json.loads((folder / entry["file"]).read_bytes())) for entry in index]


def stated(document: Any, path: tuple[str, ...]) -> str:
    """Return the text at a path of a document, or nothing."""
    for step in path:
        if isinstance(document, list):
            document = document[int(step)] if int(step) < len(document) else None
        else:
            document = document.get(step) if isinstance(document, dict) else None
    return document if isinstance(document, str) else ""


def is_own(document: dict[str, Any]) -> bool:
    """Return whether the actor is the bot of the authorisation; made anonymous, people and bots may be one."""
    seen = (document.get("authorizations") or [{}])[0]
    return bool(seen.get("is_bot")) and document["event"].get("user") == seen["user_id"]


def test_every_recorded_delivery_comes_out_as_the_facts_say(
    recorded: Recorded, route: Callable[..., Outcome]
) -> None:
    """One with a channel is an event or a change of that channel, save the app's own doing; others are ignored."""
    assert recorded
    for file, kind, document in recorded:
        outcome = route(document)
        channel = stated(document, CHANNEL_AT.get(kind, ()))
        if kind == "url_verification":
            assert outcome == Handshake(answer=document["challenge"]), file
        elif kind in CHANGES or file in OUR_BOT or file in REVOKED:
            assert isinstance(outcome, Lifecycle), file
            assert outcome.change is (CHANGES.get(kind) or OUR_BOT.get(file) or REVOKED.get(file)), file
            assert [each.id for each in outcome.resources] == ([channel] if channel else []), file
        elif channel and is_own(document):
            assert outcome == Ignored(reason=f"{kind} is the app's own doing"), file
        elif channel:
            assert isinstance(outcome, Event), file
            assert [(each.kind, each.id) for each in outcome.resources] == [("channel", channel)], file
        else:
            assert isinstance(outcome, Ignored), file


def test_every_recorded_event_belongs_to_the_installation_that_sees_it(
    recorded: Recorded, route: Callable[..., Outcome]
) -> None:
    """The account is that of the first authorisation where there is one, else the outer team; times are aware."""
    for file, _, document in recorded:
        outcome = route(document)
        if not isinstance(outcome, Event | Lifecycle) or "event" not in document:
            continue
        seen = (document.get("authorizations") or [document])[0]
        wide = bool(seen.get("is_enterprise_install"))
        expected = seen["enterprise_id"] if wide else seen["team_id"]
        assert outcome.account is not None, file
        assert (outcome.account.id, outcome.account.kind == "organization") == (expected, wide), file
        assert outcome.occurred_at is not None, file
        assert outcome.occurred_at.tzinfo is UTC, file


@given(data=st.data())
def test_no_mutation_of_a_recorded_delivery_raises(data: st.DataObject, corpus: Path) -> None:
    """Cut, flipped or with any part replaced: a recorded delivery still has exactly one typed outcome."""
    entry = data.draw(st.sampled_from(json.loads((corpus / "slack" / "index.json").read_bytes())))
    body = (corpus / "slack" / entry["file"]).read_bytes()
    if data.draw(st.booleans(), label="as bytes"):
        body = _mutate_bytes(data, body)
    else:
        body = json.dumps(_mutate_document(data, json.loads(body))).encode()
    fields = data.draw(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3))
    delivery = Delivery(
        provider="slack",
        host="slack.com",
        kind="",
        content=body,
        fields=fields,
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    outcome = plugin.route_event(delivery)
    assert isinstance(outcome, Event | Lifecycle | Handshake | Ignored)
    assert outcome == plugin.route_event(delivery)
    if isinstance(outcome, Lifecycle):
        assert outcome.account or outcome.identities


def _mutate_bytes(data: st.DataObject, body: bytes) -> bytes:
    at = data.draw(st.integers(0, len(body) - 1), label="at")
    cut = data.draw(st.sampled_from(["cut", "flip", "insert"]))
    if cut == "cut":
        return body[:at]
    if cut == "flip":
        return body[:at] + bytes([body[at] ^ data.draw(st.integers(1, 255))]) + body[at + 1 :]
    return body[:at] + data.draw(st.binary(min_size=1, max_size=8)) + body[at:]


def _mutate_document(data: st.DataObject, document: Any) -> Any:
    """Replace or drop one value, as deep as the drawing goes."""
    if isinstance(document, dict) and document:
        key = data.draw(st.sampled_from(sorted(document)))
        mutated = dict(document)
        if data.draw(st.booleans(), label="deeper"):
            mutated[key] = _mutate_document(data, document[key])
        elif data.draw(st.booleans(), label="drop"):
            del mutated[key]
        else:
            mutated[key] = data.draw(JSON)
        return mutated
    return data.draw(JSON)

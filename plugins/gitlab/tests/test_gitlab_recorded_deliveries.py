"""Deliveries recorded by others over many years: each has a typed outcome, whatever is broken in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors.plugin import Change, Delivery, Event, Ignored, Lifecycle, Outcome, ResourceReference
from speckitty_connectors_gitlab import plugin

HEADERS = ["Push Hook", "Merge Request Hook", "Note Hook", "Job Hook", "System Hook", "Member Hook", ""]
FIELDS = [
    "object_kind",
    "event_name",
    "project",
    "project_id",
    "group",
    "group_id",
    "object_attributes",
    "merge_request",
    "commits",
    "commit",
    "ref",
    "user",
    "changes",
    "total_commits_count",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
COVERS = (ResourceReference(kind="project", id="7001"),)


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """File name, header and document of each recorded delivery."""
    folder = corpus / "gitlab"
    index = json.loads((folder / "index.json").read_bytes())
    return [(entry["file"], entry["event"], json.loads((folder / entry["file"]).read_bytes())) for entry in index]


def test_every_recorded_event_keeps_the_ids_it_was_sent_with(
    recorded: list[tuple[str, str, dict[str, Any]]], route: Callable[..., Outcome]
) -> None:
    """The actor is who the delivery states, never by a name alone, and every time is aware."""
    assert recorded
    for file, header, document in recorded:
        outcome = route(header, document)
        if isinstance(outcome, Ignored):
            continue
        assert isinstance(outcome, Event | Lifecycle)
        person = (document.get("user") or {}).get("id")
        if person is None and not str(document.get("event_name")).startswith("user_"):
            person = document.get("user_id")
        assert (outcome.actor.id if outcome.actor else None) == (str(person) if person else None), file
        assert outcome.occurred_at is None or outcome.occurred_at.tzinfo is UTC, file


def test_a_kind_is_the_same_whichever_webhook_tells_of_it(
    recorded: list[tuple[str, str, dict[str, Any]]], route: Callable[..., Outcome]
) -> None:
    """A merge request of an instance's webhook is the merge request of a project's."""
    for file, header, document in recorded:
        if document.get("object_kind"):
            assert route(header, document) == route("System Hook", document), file


@given(data=st.data())
def test_no_mutation_of_a_recorded_delivery_raises(data: st.DataObject, corpus: Path) -> None:
    """Cut, flipped or with any part replaced: a recorded delivery still has exactly one typed outcome."""
    entry = data.draw(st.sampled_from(json.loads((corpus / "gitlab" / "index.json").read_bytes())))
    body = (corpus / "gitlab" / entry["file"]).read_bytes()
    if data.draw(st.booleans(), label="as bytes"):
        body = _mutate_bytes(data, body)
    else:
        body = json.dumps(_mutate_document(data, json.loads(body))).encode()
    _assert_total(data.draw(st.sampled_from([entry["event"], *HEADERS])), body)


@given(kind=st.sampled_from(HEADERS) | st.text(max_size=20), body=st.binary(max_size=200))
def test_no_bytes_raise(kind: str, body: bytes) -> None:
    """Any bytes under any header have exactly one typed outcome."""
    _assert_total(kind, body)


@given(kind=st.sampled_from(HEADERS), document=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_document_raises(kind: str, document: dict[str, object]) -> None:
    """Any JSON value in any field has exactly one typed outcome."""
    _assert_total(kind, json.dumps(document).encode())


@given(instance=st.text(max_size=40))
def test_no_header_raises(instance: str) -> None:
    """Whatever the sender says that it is, the delivery has exactly one typed outcome."""
    _assert_total("Push Hook", b'{"object_kind": "push", "project_id": 7001}', instance)


def _assert_total(kind: str, body: bytes, instance: str = "") -> None:
    delivery = Delivery(
        provider="gitlab",
        host="gitlab.com",
        kind=kind,
        content=body,
        headers={"x-gitlab-instance": instance},
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
        covers=COVERS,
    )
    outcome = plugin.route_event(delivery)
    assert isinstance(outcome, Event | Lifecycle | Ignored)
    assert outcome == plugin.route_event(delivery)
    if isinstance(outcome, Lifecycle):
        assert isinstance(outcome.change, Change)
        assert outcome.resources


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

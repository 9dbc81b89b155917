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

from speckitty_connectors.plugin import Change, Delivery, Event, Ignored, Lifecycle, Outcome
from speckitty_connectors_github import plugin

KINDS = [
    "push",
    "pull_request",
    "installation",
    "installation_repositories",
    "repository",
    "meta",
    "status",
    "ping",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
LIFECYCLE_KINDS = {
    "github_app_authorization",
    "installation",
    "installation_repositories",
    "installation_target",
    "meta",
    "organization",
    "public",
    "repository",
}


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """File name, event kind and document of each recorded delivery."""
    folder = corpus / "github"
    index = json.loads((folder / "index.json").read_bytes())
    return [(entry["file"], entry["event"], json.loads((folder / entry["file"]).read_bytes())) for entry in index]


def test_every_recorded_delivery_comes_out_as_its_repository_says(
    recorded: list[tuple[str, str, dict[str, Any]]], route: Callable[..., Outcome]
) -> None:
    """One with a repository is an event or a change of that very repository; one without is a change or ignored."""
    assert recorded
    for file, kind, document in recorded:
        outcome = route(kind, document)
        repository = (document.get("repository") or {}).get("id")
        if repository and kind != "ping":
            assert isinstance(outcome, Event | Lifecycle), file
            assert [resource.id for resource in outcome.resources] == [str(repository)], file
        elif kind in {"installation", "installation_repositories", "installation_target"}:
            assert isinstance(outcome, Lifecycle), file
        else:
            assert isinstance(outcome, Ignored | Lifecycle), file


def test_every_recorded_event_keeps_the_ids_it_was_sent_with(
    recorded: list[tuple[str, str, dict[str, Any]]], route: Callable[..., Outcome]
) -> None:
    """Installation and actor come out as the ids that the delivery states, and every time is aware."""
    for file, kind, document in recorded:
        outcome = route(kind, document)
        if isinstance(outcome, Ignored):
            continue
        assert isinstance(outcome, Event | Lifecycle)
        installation = (document.get("installation") or {}).get("id", "")
        assert outcome.installation == str(installation), file
        sender = (document.get("sender") or {}).get("id")
        assert (outcome.actor.id if outcome.actor else None) == (str(sender) if sender else None), file
        assert outcome.occurred_at is None or outcome.occurred_at.tzinfo is not None, file


def test_only_kinds_about_githubs_state_are_lifecycle(
    recorded: list[tuple[str, str, dict[str, Any]]], route: Callable[..., Outcome]
) -> None:
    """Only kinds about what is installed, whom it belongs to and how it is named come out as a change of it."""
    for file, kind, document in recorded:
        if isinstance(route(kind, document), Lifecycle):
            assert kind in LIFECYCLE_KINDS, file


def test_unrouted_kinds_concern_no_repository(
    recorded: list[tuple[str, str, dict[str, Any]]], route: Callable[..., Outcome]
) -> None:
    """No kind that core drops by its header would have been an event or a change."""
    for file, kind, document in recorded:
        if kind in plugin.manifest.webhooks.unrouted_kinds:
            assert isinstance(route(kind, document), Ignored), file


@given(data=st.data())
def test_no_mutation_of_a_recorded_delivery_raises(data: st.DataObject, corpus: Path) -> None:
    """Cut, flipped or with any part replaced: a recorded delivery still has exactly one typed outcome."""
    entry = data.draw(st.sampled_from(json.loads((corpus / "github" / "index.json").read_bytes())))
    body = (corpus / "github" / entry["file"]).read_bytes()
    if data.draw(st.booleans(), label="as bytes"):
        body = _mutate_bytes(data, body)
    else:
        body = json.dumps(_mutate_document(data, json.loads(body))).encode()
    _assert_total(data.draw(st.sampled_from([entry["event"], *KINDS])), body)


@given(kind=st.sampled_from(KINDS) | st.text(max_size=20), body=st.binary(max_size=200))
def test_no_bytes_raise(kind: str, body: bytes) -> None:
    """Any bytes under any kind have exactly one typed outcome."""
    _assert_total(kind, body)


@given(
    kind=st.sampled_from(KINDS),
    document=st.dictionaries(
        st.sampled_from(["action", "repository", "installation", "changes", "sender", "commits", "ref"]), JSON
    ),
)
def test_no_document_raises(kind: str, document: dict[str, object]) -> None:
    """Any JSON value in any field has exactly one typed outcome."""
    _assert_total(kind, json.dumps(document).encode())


def _assert_total(kind: str, body: bytes) -> None:
    delivery = Delivery(
        provider="github", host="github.com", kind=kind, content=body, received_at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    outcome = plugin.route_event(delivery)
    assert isinstance(outcome, Event | Lifecycle | Ignored)
    assert outcome == plugin.route_event(delivery)
    if isinstance(outcome, Lifecycle):
        assert isinstance(outcome.change, Change)
        assert outcome.installation or outcome.account or outcome.resources or outcome.identities or outcome.relist


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

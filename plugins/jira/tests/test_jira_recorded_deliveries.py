"""Deliveries recorded by others over many years: each has a typed outcome, whatever is broken in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors.plugin import Change, Delivery, Event, Ignored, Lifecycle, Outcome
from speckitty_connectors_jira import plugin

KINDS = [
    "jira:issue_updated",
    "comment_created",
    "project_updated",
    "user_deleted",
    "jira:version_deleted",
    "worklog_",
]
FIELDS = ["webhookEvent", "timestamp", "issue", "comment", "project", "user", "version", "changelog", "worklog"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)

CLOUD, TEST, MMTEST = (
    f"https://{name}.atlassian.net" for name in ("some-instance-test", "test-instance", "mmtest")
)
SALES = "http://sales-jira.centralus.cloudapp.azure.com:8080"
ADMIN = "5c5f880629be9642ba529340"

EXPECTED: dict[str, tuple[str, str, str, str]] = {
    "cloud-comment-created": (CLOUD, "10000", "TES-41", ADMIN),
    "cloud-comment-created-mention-user": (CLOUD, "10000", "TES-41", ADMIN),
    "cloud-comment-updated": (CLOUD, "10000", "TES-41", ADMIN),
    "cloud-issue-created-many-fields": (MMTEST, "10008", "KT-22", "5cedcb4355a88a0fc86388ba"),
    "issue-assigned-empty-changelog": (TEST, "10000", "TEST-123", "123456"),
    "issue-created": (CLOUD, "10000", "TES-41", ADMIN),
    "issue-updated-components": (CLOUD, "10008", "TES-10", "5cedcb4355a88a0fc86388ba"),
    "server-comment-updated": (SALES, "", "issue 10013", "levbrouk"),
    "server-issue-updated-closed": (
        "http://some-instance-test.centralus.cloudapp.azure.com:8080",
        "10100",
        "TES-4",
        "admin",
    ),
    "server-issue-updated-many-fields": ("http://localhost:8080", "10000", "HEY-15", "mickmister"),
    "server-issue-updated": (SALES, "10000", "PRJX-14", "levbrouk"),
    "server-old-issue-updated": (SALES, "10000", "PRJX-14", "levbrouk"),
    "issue-updated": (CLOUD, "10000", "TES-41", ADMIN),
}
"""How a file's name begins, the longest beginning first → site, project, subject and actor, as the payloads say."""


def expected(file: str) -> tuple[str, str, str, str]:
    name = file.removeprefix("mattermost-webhook-").removesuffix(".json")
    beginnings = [beginning for beginning in EXPECTED if name.startswith(beginning)]
    return EXPECTED[max(beginnings, key=len)]


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> list[tuple[dict[str, Any], bytes]]:
    """Entry of the index and body of each recorded delivery."""
    folder = corpus / "jira"
    index = json.loads((folder / "index.json").read_bytes())
    return [(entry, (folder / entry["file"]).read_bytes()) for entry in index]


def test_every_recorded_delivery_is_an_event_of_its_project(
    recorded: list[tuple[dict[str, Any], bytes]], route: Callable[..., Outcome]
) -> None:
    """Each comes out with the site, project, issue and person that its payload names."""
    assert recorded
    for entry, body in recorded:
        outcome = route(body)
        site, project, subject, actor = expected(entry["file"])
        assert isinstance(outcome, Event), entry["file"]
        assert [resource.id for resource in outcome.resources] == ([project] if project else []), entry["file"]
        assert outcome.account is not None, entry["file"]
        assert outcome.account.url == site, entry["file"]
        assert outcome.subject == subject, entry["file"]
        assert outcome.actor is not None, entry["file"]
        assert outcome.actor.id == actor, entry["file"]


def test_every_recorded_delivery_keeps_kind_type_and_time(
    recorded: list[tuple[dict[str, Any], bytes]], route: Callable[..., Outcome]
) -> None:
    """The kind and the type are those of the index, and the time is the one stated, in UTC."""
    for entry, body in recorded:
        outcome = route(body)
        assert isinstance(outcome, Event)
        assert (outcome.kind, outcome.action) == (entry["event"], entry["issue_event_type"] or ""), entry["file"]
        stated = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=json.loads(body)["timestamp"])
        assert outcome.occurred_at == stated, entry["file"]


@given(data=st.data())
def test_no_mutation_of_a_recorded_delivery_raises(data: st.DataObject, corpus: Path) -> None:
    """Cut, flipped or with any part replaced: a recorded delivery still has exactly one typed outcome."""
    entry = data.draw(st.sampled_from(json.loads((corpus / "jira" / "index.json").read_bytes())))
    body = (corpus / "jira" / entry["file"]).read_bytes()
    if data.draw(st.booleans(), label="as bytes"):
        at = data.draw(st.integers(0, len(body) - 1), label="at")
        body = body[:at] + data.draw(st.binary(max_size=8)) + body[at + data.draw(st.integers(0, 8)) :]
    else:
        body = json.dumps(_mutated(data, json.loads(body))).encode()
    _assert_total(body)


@given(body=st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    """Any bytes have exactly one typed outcome."""
    _assert_total(body)


@given(kind=st.sampled_from(KINDS), document=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_document_raises(kind: str, document: dict[str, object]) -> None:
    """Any JSON value in any field has exactly one typed outcome."""
    _assert_total(json.dumps({"webhookEvent": kind, **document}).encode())


def _assert_total(body: bytes) -> None:
    delivery = Delivery(
        provider="jira", host="atlassian.net", kind="", content=body, received_at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    outcome = plugin.route_event(delivery)
    assert isinstance(outcome, Event | Lifecycle | Ignored)
    assert outcome == plugin.route_event(delivery)
    if isinstance(outcome, Lifecycle):
        assert isinstance(outcome.change, Change)
        assert outcome.resources or outcome.identities


def _mutated(data: st.DataObject, document: Any) -> Any:
    """Replace or drop one value, as deep as the drawing goes."""
    if not isinstance(document, dict) or not document:
        return data.draw(JSON)
    key = data.draw(st.sampled_from(sorted(document)))
    rest = {name: value for name, value in document.items() if name != key}
    if data.draw(st.booleans(), label="deeper"):
        return {**rest, key: _mutated(data, document[key])}
    return rest if data.draw(st.booleans(), label="drop") else {**rest, key: data.draw(JSON)}

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
from speckitty_connectors_linear import plugin

KINDS = ["Issue", "Comment", "Project", "User", "OAuthApp", "OAuthAuthorization", "PermissionChange", "IssueSLA"]
FIELDS = [
    "action",
    "actor",
    "addedTeamIds",
    "createdAt",
    "data",
    "issueData",
    "organizationId",
    "removedTeamIds",
    "updatedFrom",
    "user",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "issue", "name", "project", "team", "teamIds", "trashed"]), inner)
        | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)

STATED: dict[str, Callable[[Any], tuple[list[str], list[str]]]] = {
    "Issue": lambda data: ([data["projectId"]] if data.get("projectId") else [], [data["teamId"]]),
    "IssueLabel": lambda data: ([], [data["teamId"]]),
    "Cycle": lambda data: ([], [data["teamId"]]),
    "Comment": lambda data: ([], [data["issue"]["teamId"]] if "teamId" in data.get("issue", {}) else []),
    "Reaction": lambda data: ([], [data["issue"]["teamId"]] if "teamId" in data.get("issue", {}) else []),
    "Project": lambda data: ([data["id"]], data["teamIds"]),
    "ProjectUpdate": lambda data: ([data["projectId"]], []),
}
"""Kind of event → the projects and the teams that its data name, as the schema's payload types say."""


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> list[tuple[dict[str, Any], bytes]]:
    """Entry of the index and body of each recorded delivery."""
    folder = corpus / "linear"
    index = json.loads((folder / "index.json").read_bytes())
    return [(entry, (folder / entry["file"]).read_bytes()) for entry in index]


def test_every_recorded_delivery_names_its_project_and_team(
    recorded: list[tuple[dict[str, Any], bytes]], route: Callable[..., Outcome]
) -> None:
    """Each comes out with the resources that its payload names; one that removes a project is a change of it."""
    assert recorded
    for entry, body in recorded:
        outcome, payload = route(body), json.loads(body)
        kind = entry["event"]
        projects, teams = STATED[kind](payload["data"])
        if (kind, entry["action"]) == ("Project", "remove"):
            assert isinstance(outcome, Lifecycle), entry["file"]
            assert (outcome.change, [each.id for each in outcome.resources]) == (Change.RESOURCE_DELETED, projects)
            continue
        assert isinstance(outcome, Event), entry["file"]
        found = [(each.kind, each.id) for each in outcome.resources]
        expected = [("project", each) for each in projects] + [("team", each) for each in teams]
        assert found == expected, entry["file"]


def test_every_recorded_delivery_keeps_kind_workspace_and_time(
    recorded: list[tuple[dict[str, Any], bytes]], route: Callable[..., Outcome]
) -> None:
    """The kind and action are those of the index; the workspace, the person and the time are those of the body."""
    for entry, body in recorded:
        outcome, payload = route(body), json.loads(body)
        assert isinstance(outcome, Event | Lifecycle)
        if isinstance(outcome, Event):
            assert (outcome.kind, outcome.action) == (entry["event"], entry["action"]), entry["file"]
        assert (outcome.account.id if outcome.account else None) == payload.get("organizationId"), entry["file"]
        stated = payload.get("actor", {}).get("id")
        assert (outcome.actor.id if outcome.actor else None) == stated, entry["file"]
        at = datetime.fromisoformat(payload["createdAt"]).astimezone(UTC)
        assert outcome.occurred_at == at, entry["file"]


@given(data=st.data())
def test_no_mutation_of_a_recorded_delivery_raises(data: st.DataObject, corpus: Path) -> None:
    """Cut, flipped or with any part replaced: a recorded delivery still has exactly one typed outcome."""
    entry = data.draw(st.sampled_from(json.loads((corpus / "linear" / "index.json").read_bytes())))
    body = (corpus / "linear" / entry["file"]).read_bytes()
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
    _assert_total(json.dumps({"type": kind, **document}).encode())


def _assert_total(body: bytes) -> None:
    delivery = Delivery(
        provider="linear", host="linear.app", kind="", content=body, received_at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    outcome = plugin.route_event(delivery)
    assert isinstance(outcome, Event | Lifecycle | Ignored)
    assert outcome == plugin.route_event(delivery)
    if isinstance(outcome, Lifecycle):
        assert outcome.resources or outcome.identities or outcome.account


def _mutated(data: st.DataObject, document: Any) -> Any:
    """Replace or drop one value, as deep as the drawing goes."""
    if not isinstance(document, dict) or not document:
        return data.draw(JSON)
    key = data.draw(st.sampled_from(sorted(document)))
    rest = {name: value for name, value in document.items() if name != key}
    if data.draw(st.booleans(), label="deeper"):
        return {**rest, key: _mutated(data, document[key])}
    return rest if data.draw(st.booleans(), label="drop") else {**rest, key: data.draw(JSON)}

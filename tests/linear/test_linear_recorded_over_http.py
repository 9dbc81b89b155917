"""Recorded deliveries over real HTTP and on both databases: each is stored, and comes out as its team's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speckitty_connectors import Event, Lifecycle, Secret
from speckitty_connectors_linear.standin import documents
from testbed.linear import TEAM, Studio


def test_every_recorded_delivery_gets_a_typed_outcome(studio: Studio, corpus: Path) -> None:
    """Sent now by the connected workspace, each is accepted, refused under another secret, and names its teams."""
    files = sorted(file for file in (corpus / "linear").glob("*.json") if file.name != "index.json")
    assert files
    installation = studio.set_up()
    for file in files:
        now = {
            "organizationId": documents.ORGANIZATION_ID,
            "webhookTimestamp": int(studio.clock().timestamp() * 1000),
        }
        payload = {**json.loads(file.read_bytes()), **now}
        body = json.dumps(payload).encode()
        assert (
            studio.send(body, payload["type"], file.name, Secret("a stranger's secret of some length")).status
            == 403
        )
        assert studio.send(body, payload["type"], file.name).status == 202
        (decision,) = [each.decision for each in studio.decisions(file.name)]
        assert decision.installation_id == installation.id, file.name
        assert isinstance(decision.outcome, Event | Lifecycle), file.name
        data = payload["data"]
        stated = [data["teamId"]] if "teamId" in data else []
        teams = [each.id for each in decision.outcome.resources if each.kind == "team"]
        assert teams == (data.get("teamIds", stated) if isinstance(decision.outcome, Event) else []), file.name


def test_a_recorded_delivery_of_a_mapped_team_is_dispatched(studio: Studio, corpus: Path) -> None:
    """The one recorded as today's Linear sends them, with its team set to the mapped one."""
    studio.set_up()
    payload = json.loads((corpus / "linear" / "morgs32-linearIssueCreated.json").read_bytes())
    payload["data"] |= {"teamId": TEAM.id, "team": {"id": TEAM.id, "key": "HEL"}}
    del payload["organizationId"], payload["webhookTimestamp"], payload["createdAt"]
    studio.tell(payload.pop("type"), payload.pop("action"), **payload)
    assert [(each.target.id, each.event.kind) for each in studio.dispatched] == [("apollo", "Issue")]


@pytest.mark.parametrize("organization", ["", "another organization", None])
def test_a_workspace_that_nobody_connected_concerns_nobody(studio: Studio, organization: str | None) -> None:
    """The app's secret is everybody's: the tenant is the organization in the signed body, and never guessed."""
    studio.set_up()
    told = studio.tell("Issue", "create", data=documents.issue(documents.team(0), 12), organizationId=organization)
    assert studio.dispatched == []
    assert [item.reason for item in studio.connectors.review.list(workspace="")] == ["unknown_installation"], told

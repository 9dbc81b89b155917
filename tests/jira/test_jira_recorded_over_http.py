"""Recorded deliveries over real HTTP and on both databases: each is stored, and comes out as its project's."""

from __future__ import annotations

import json
from pathlib import Path

from speckitty_connectors import Event, Secret
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors_jira.manifest import WEBHOOKS
from testbed.jira import open_site


def test_every_recorded_delivery_gets_a_typed_outcome(database_url: str, corpus: Path) -> None:
    """Signed with the client secret each is accepted, with another it isn't, and it names its project."""
    files = sorted(file for file in (corpus / "jira").glob("*.json") if file.name != "index.json")
    assert files
    with open_site(database_url) as site:
        secret = Secret(site.stand_in.authorization.client_secret)
        for file in files:
            body = file.read_bytes()
            forged = sign(WEBHOOKS.schemes["app"], Secret("x" * 40), body, now=utc_now())
            assert site.send(site.webhook_url, body, forged).status == 403
            proof = sign(WEBHOOKS.schemes["app"], secret, body, now=utc_now())
            assert site.send(site.webhook_url, body, proof, file.name).status == 202
            (decision,) = [each.decision for each in site.decisions(file.name, "")]
            assert isinstance(decision.outcome, Event)
            fields = json.loads(body).get("issue", {}).get("fields", {})
            stated = [fields["project"]["id"]] if "project" in fields else []
            assert [resource.id for resource in decision.outcome.resources] == stated, file.name

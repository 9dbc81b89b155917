"""The deliveries that the stand-in can send: a small story, each in the shape of "Webhooks"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from speckitty_connectors.standin import SampleDelivery

from . import documents
from .documents import Document


def deliveries(now: datetime) -> Sequence[SampleDelivery]:
    """Return the story, whose first event happens in the first project of the listing."""
    team, project = documents.team(0), documents.project(0)
    renamed = {**documents.told_project(project), "name": "Soups"}
    told: Sequence[tuple[str, str, str, Document]] = (
        ("mona opens an issue", "Issue", "create", {"data": documents.issue(team, 12, project)}),
        (
            "mona moves it out of the project, to a team that nobody mapped",
            "Issue",
            "update",
            {"data": documents.issue(documents.team(1), 7), "updatedFrom": {"teamId": team["id"]}},
        ),
        (
            "an initiative begins, which concerns no project",
            "Initiative",
            "create",
            {"data": {"id": documents.uuid_of("initiative"), "name": "More soup"}},
        ),
        (
            "the project gets another name",
            "Project",
            "update",
            {"data": renamed, "updatedFrom": {"name": project["name"]}},
        ),
        ("an admin takes the app away", "OAuthApp", "revoked", {"oauthClientId": documents.uuid_of("app")}),
    )
    return tuple(_delivery(title, kind, action, fields, now) for title, kind, action, fields in told)


def envelope(kind: str, action: str, fields: Document, now: datetime) -> Document:
    """Return the whole body of a delivery, as it is sent now."""
    actor = {"actor": documents.actor()} if "data" in fields else {}
    return {
        "type": kind,
        "action": action,
        **actor,
        "createdAt": now.isoformat(),
        "organizationId": documents.ORGANIZATION_ID,
        "webhookId": documents.WEBHOOK_ID,
        "webhookTimestamp": int(now.timestamp() * 1000),
        **fields,
    }


def _delivery(title: str, kind: str, action: str, fields: Document, now: datetime) -> SampleDelivery:
    return SampleDelivery(
        title=title,
        kind=kind,
        delivery_id=str(uuid5(NAMESPACE_URL, title)),
        content=json.dumps(envelope(kind, action, fields, now)).encode(),
    )

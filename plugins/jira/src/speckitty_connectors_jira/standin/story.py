"""The deliveries that the stand-in can send: a small story, each in the shape of "Webhooks"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from speckitty_connectors.standin import SampleDelivery

from . import documents
from .documents import Document


def deliveries(registered: Sequence[int]) -> Sequence[SampleDelivery]:
    """Return the story, whose first event happens in the first project of the listing.

    No change of Jira's own state is in it: an app is notified of none.

    Args:
        registered: the ids of the webhooks that it is sent for.
    """
    mapped, other = documents.project(0), documents.project(1)
    matched = {"matchedWebhookIds": list(registered)} if registered else {}
    soup = documents.issue(mapped, 12)
    return (
        _delivery("mona opens an issue", "jira:issue_created", {**_issue(soup, "issue_created"), **matched}),
        _delivery(
            "mona comments on it",
            "comment_created",
            {"comment": _comment(soup), "issue": soup, **matched},
        ),
        _delivery(
            "mona moves it to a project that nobody mapped",
            "jira:issue_updated",
            {**_issue(documents.issue(other, 7), "issue_moved"), "changelog": _move(mapped, other), **matched},
        ),
        _delivery("a sprint starts, which concerns no project", "sprint_started", {"sprint": _sprint()}),
    )


def _delivery(title: str, kind: str, document: Document) -> SampleDelivery:
    # Epoch milliseconds; what happened before an account was connected changes nothing.
    at = int(datetime.now(UTC).timestamp() * 1000)
    return SampleDelivery(
        title=title,
        kind="",
        delivery_id=str(uuid5(NAMESPACE_URL, title)),
        content=json.dumps({"timestamp": at, "webhookEvent": kind, **document}).encode(),
        headers={"X-Atlassian-Webhook-Flow": "Primary"},
    )


def _issue(issue: Document, happened: str) -> Document:
    return {"issue_event_type_name": happened, "user": documents.user(), "issue": issue}


def _comment(issue: Document) -> Document:
    link = f"{issue['self']}/comment/30001"
    return {"self": link, "id": "30001", "author": documents.user(), "updateAuthor": documents.user()}


def _move(before: Document, after: Document) -> Document:
    change = {"field": "project", "fieldtype": "jira", "fieldId": "project"}
    return {"id": "40001", "items": [{**change, "from": before["id"], "to": after["id"]}]}


def _sprint() -> Document:
    return {"self": f"{documents.SITE}/rest/agile/1.0/sprint/3", "id": 3, "name": "Soups", "state": "active"}

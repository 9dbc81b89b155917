"""The deliveries that the stand-in can send: a small story, each in the shape of "Webhook events and payloads"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from speckitty_connectors.standin import SampleDelivery

from . import documents
from .documents import Document

_HEAD = "5f20ba2c8d1e4a7b90c3d6e5f4a1b2c3d4e5f607"
_BEFORE = "1b6d0c4e7f2a59830b1c2d3e4f5061728394a5b6"


def deliveries(web: str) -> Sequence[SampleDelivery]:
    """Return the story: it happens in the first repository of the listing, where nothing else is said."""
    mapped, other, third = (documents.repository(web, index) for index in range(3))
    return (
        _delivery(web, "mona pushes to main", "push", {**_push(), "repository": mapped}),
        _delivery(
            web,
            "mona opens a pull request in a repository that nobody mapped",
            "pull_request",
            {"action": "opened", "number": 12, "pull_request": _pull_request(other), "repository": other},
        ),
        _delivery(web, "mona pushes to another one", "push", {**_push(), "repository": third}),
        _delivery(
            web,
            "somebody joins the organization, which concerns no repository",
            "organization",
            {"action": "member_added", "organization": documents.organization(web)},
        ),
        _delivery(web, "the mapped repository is renamed", "repository", _rename(mapped)),
        _delivery(web, "an owner suspends the app", "installation", _installation(web, suspended=True)),
        _delivery(web, "an owner lets it go on", "installation", _installation(web, suspended=False)),
    )


def _delivery(web: str, title: str, kind: str, document: Document) -> SampleDelivery:
    whole = {"installation": {"id": documents.INSTALLATION_ID}, "sender": documents.person(web), **document}
    return SampleDelivery(
        title=title,
        kind=kind,
        delivery_id=str(uuid5(NAMESPACE_URL, title)),
        content=json.dumps(whole).encode(),
    )


def _push() -> Document:
    commit = {
        "id": _HEAD,
        "message": "Greet the world in more words",
        "timestamp": _now(),
        "added": ["greetings/long.md"],
        "modified": ["README.md"],
        "removed": [],
    }
    return {"ref": "refs/heads/main", "before": _BEFORE, "after": _HEAD, "commits": [commit], "head_commit": commit}


def _pull_request(repository: Document) -> Document:
    return {
        "number": 12,
        "title": "Add the soup of the day",
        "updated_at": _now(),
        "head": {"ref": "kitty/mission-012-soup", "sha": _HEAD, "repo": repository},
        "base": {"ref": "main", "sha": _BEFORE, "repo": repository},
    }


def _rename(repository: Document) -> Document:
    renamed = {
        **repository,
        "name": f"{repository['name']}-world",
        "full_name": f"{repository['full_name']}-world",
        "updated_at": _now(),
    }
    return {
        "action": "renamed",
        "changes": {"repository": {"name": {"from": repository["name"]}}},
        "repository": renamed,
    }


def _installation(web: str, *, suspended: bool) -> Document:
    installation = documents.installation(web, "")
    if suspended:
        installation |= {"suspended_at": _now(), "suspended_by": documents.person(web)}
    return {"action": "suspend" if suspended else "unsuspend", "installation": installation}


def _now() -> str:
    """Return the present moment to the microsecond.

    What happened before an account was connected changes nothing, and a demo takes less than a second.
    """
    return datetime.now(UTC).isoformat()

"""The deliveries that the stand-in can send: a small story, each in the shape of "The Events API"."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence

from speckitty_connectors.standin import SampleDelivery

from . import documents
from .documents import Document


def deliveries(*, organization: bool) -> Sequence[SampleDelivery]:
    """Return the story: it happens in the first channel of the listing, where nothing else is said."""
    mapped, other = documents.channel(0), documents.channel(1)
    member = {"user": documents.BOT_ID, "channel": mapped["id"], "channel_type": "C", "team": documents.TEAM_ID}
    told: Sequence[tuple[str, Document]] = (
        (f"mona writes in #{mapped['name']}", _message(mapped)),
        (f"mona writes in #{other['name']}, which nobody mapped", _message(other)),
        ("mona changes her profile, which concerns no channel", {"type": "user_change", "user": _profile()}),
        (
            "the mapped channel is renamed",
            {"type": "channel_rename", "channel": {"id": mapped["id"], "name": f"{mapped['name']}-11"}},
        ),
        ("mona removes the app from the channel", {"type": "member_left_channel", **member}),
        (
            "she thinks better of it",
            {"type": "member_joined_channel", "inviter": documents.USER_ID, **member},
        ),
        ("an admin uninstalls the app", {"type": "app_uninstalled"}),
    )
    return tuple(
        _delivery(number, title, event, organization=organization)
        for number, (title, event) in enumerate(told, start=1)
    )


def _delivery(number: int, title: str, event: Document, *, organization: bool) -> SampleDelivery:
    event_id = f"Ev{number:08}"
    seen = {
        "team_id": None if organization else documents.TEAM_ID,
        "enterprise_id": documents.ORGANIZATION_ID if organization else None,
        "user_id": documents.BOT_ID,
        "is_bot": True,
        "is_enterprise_install": organization,
    }
    whole = {
        "type": "event_callback",
        "team_id": documents.TEAM_ID,
        "api_app_id": documents.APP_ID,
        "event": event,
        "event_id": event_id,
        # Whole seconds, and what happened before an account was connected changes nothing: a demo takes about one,
        # so the second is rounded up, and each event has one of its own.
        "event_time": math.ceil(time.time()) + number,
        "authorizations": [seen],
        "is_ext_shared_channel": False,
    }
    return SampleDelivery(title=title, kind="", delivery_id=event_id, content=json.dumps(whole).encode())


def _message(channel: Document) -> Document:
    stamp = f"{time.time():.6f}"
    return {
        "type": "message",
        "channel": channel["id"],
        "channel_type": "channel",
        "user": documents.USER_ID,
        "text": "The soup of the day is ready to be tasted",
        "team": documents.TEAM_ID,
        "ts": stamp,
        "event_ts": stamp,
    }


def _profile() -> Document:
    return {"id": documents.USER_ID, "name": documents.USER, "team_id": documents.TEAM_ID, "deleted": False}

"""What a verified delivery means: a change of Linear's own state, an event, or nothing for anybody here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from speckitty_connectors.plugin import (
    Delivery,
    Event,
    Ignored,
    Outcome,
    ResourceReference,
    hookimpl,
    read_moment,
    read_text,
)

from .lifecycle import read_lifecycle
from .payload import (
    Payload,
    Thing,
    account,
    decode,
    hung_on,
    identity,
    project_of,
    resources_of,
    teams_of,
    thing_of,
)

_OF_WORK = frozenset(
    {"AgentSessionEvent", "Attachment", "Comment", "CustomerNeed", "Document", "Issue", "IssueSLA", "Reaction"}
)
"""The kinds that concern an issue or a project, even where the payload leaves both out."""


@hookimpl
def route_event(delivery: Delivery) -> Outcome:
    """Return what a delivery means; total, for any content. The body is signed, so its type is believed first."""
    payload = decode(delivery.content)
    if payload is None:
        return Ignored(reason="the body isn't a JSON object")
    kind = read_text(payload.type) or delivery.kind
    lifecycle = read_lifecycle(kind, payload)
    if lifecycle is not None:
        return lifecycle
    return _read_event(kind, payload)


def _read_event(kind: str, payload: Payload) -> Event | Ignored:
    thing = thing_of(payload)
    resources = _resources(kind, thing)
    if not resources and (kind not in _OF_WORK or _is_of_initiative(thing)):
        return Ignored(reason=f"{kind or 'an event without a kind'} concerns no project and no team")
    return Event(
        kind=kind or "unnamed",
        action=read_text(payload.action),
        account=account(payload),
        resources=resources,
        actor=identity(payload.actor),
        subject=_subject(thing, resources),
        occurred_at=read_moment(payload.created_at),
    )


def _resources(kind: str, thing: Thing) -> tuple[ResourceReference, ...]:
    """Return what an event concerns: an issue's project and team of now, or a project with all its teams."""
    project = project_of(thing) if kind == "Project" else None
    return (project, *teams_of(thing)) if project else resources_of(thing)


def _is_of_initiative(thing: Thing) -> bool:
    return any(read_text(each.initiative_id) or read_text(each.initiative_update_id) for each in hung_on(thing))


def _subject(thing: Thing, resources: Sequence[ResourceReference]) -> str:
    """Return what a person would look for: an issue's identifier, else a name or a title, else the resource."""
    names = (name for each in hung_on(thing) for name in (each.identifier, each.name, each.title))
    labels = (resource.key for resource in resources)
    return next(filter(None, chain(map(read_text, names), labels)), "")

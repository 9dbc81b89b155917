"""The few fields of a delivery that mean something here, decoded in one typed pass.

A field that isn't what it should be is read as absent, never as an error: each nested object may also be any other
JSON value, and each leaf is any value until `read_text` or its like has read it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from speckitty_connectors.plugin import (
    Account,
    ExternalIdentity,
    NotAList,
    NotAnObject,
    ResourceReference,
    read_text,
)

from .manifest import PROJECT, TEAM

_DEEPEST = 3
"""How far what an event is about may lie below it: a reaction, its comment, the update that is on, the project."""


class Named(msgspec.Struct):
    """A team, a project or an initiative as another thing names it, or one who acts."""

    id: object = None
    key: object = None
    name: object = None
    type: object = None
    service: object = None


class Thing(msgspec.Struct, rename="camel"):
    """Whatever an event is about, or what that hangs on: an issue, a comment, a project, a document."""

    id: object = None
    identifier: object = None
    name: object = None
    title: object = None
    team_id: object = None
    team: Named | NotAnObject = None
    team_ids: list[object] | NotAList = None
    project_id: object = None
    project: Named | NotAnObject = None
    initiative_id: object = None
    initiative_update_id: object = None
    issue: Thing | NotAnObject = None
    project_update: Thing | NotAnObject = None
    comment: Thing | NotAnObject = None
    parent: Thing | NotAnObject = None
    document: Thing | NotAnObject = None
    document_content: Thing | NotAnObject = None
    active: object = None
    trashed: object = None
    archived_at: object = None


class Former(msgspec.Struct, rename="camel"):
    """The values that an update replaced; what was unset before is null, what stayed is left out, if not always."""

    name: object = msgspec.UNSET
    trashed: object = msgspec.UNSET
    archived_at: object = msgspec.UNSET


class Payload(msgspec.Struct, rename="camel"):
    """The top level of any delivery."""

    type: object = None
    action: object = None
    created_at: object = None
    organization_id: object = None
    actor: Named | NotAnObject = None
    data: Thing | NotAnObject = None
    updated_from: Former | NotAnObject = None
    issue_data: Thing | NotAnObject = None
    notification: Thing | NotAnObject = None
    agent_session: Thing | NotAnObject = None
    user_id: object = None
    user: Named | NotAnObject = None
    active_tokens_for_user: object = None
    added_team_ids: list[object] | NotAList = None
    removed_team_ids: list[object] | NotAList = None


_DECODER = msgspec.json.Decoder(Payload)


def decode(content: bytes) -> Payload | None:
    """Return what is read of a body, or None where it isn't one JSON object."""
    try:
        return _DECODER.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def account(payload: Payload) -> Account | None:
    """Return the workspace, which every delivery of today names."""
    organization = read_text(payload.organization_id)
    return Account(id=organization, kind="workspace") if organization else None


def thing_of(payload: Payload) -> Thing:
    """Return what a delivery is about; each family of deliveries has another name for it ("Webhooks")."""
    candidates = (payload.data, payload.issue_data, payload.notification, payload.agent_session)
    return next((each for each in candidates if isinstance(each, Thing)), Thing())


def hung_on(thing: Thing) -> Iterator[Thing]:
    """Yield a thing and then what it hangs on, the nearest first."""
    level = [thing]
    for _ in range(_DEEPEST + 1):
        yield from level
        below = (
            (each.issue, each.project_update, each.comment, each.parent, each.document, each.document_content)
            for each in level
        )
        level = [each for candidates in below for each in candidates if isinstance(each, Thing)]


def resources_of(thing: Thing) -> tuple[ResourceReference, ...]:
    """Return the project and the team that a thing belongs to, itself or by what it hangs on; else nothing."""
    return next(filter(None, map(_resources, hung_on(thing))), ())


def _resources(thing: Thing) -> tuple[ResourceReference, ...]:
    project = _reference(PROJECT, thing.project, thing.project_id)
    return (*((project,) if project else ()), *teams_of(thing))


def teams_of(thing: Thing) -> tuple[ResourceReference, ...]:
    """Return the one team of a thing, or all the teams of a project."""
    team = _reference(TEAM, thing.team, thing.team_id)
    return (team,) if team else teams(thing.team_ids)


def teams(ids: object) -> tuple[ResourceReference, ...]:
    """Return the teams that a list of ids names, each once."""
    listed = ids if isinstance(ids, list) else []
    return tuple(ResourceReference(kind=TEAM, id=team) for team in dict.fromkeys(map(read_text, listed)) if team)


def project_of(thing: Thing) -> ResourceReference | None:
    """Return a thing that is a project itself."""
    project = read_text(thing.id)
    return ResourceReference(kind=PROJECT, id=project, key=read_text(thing.name)) if project else None


def _reference(kind: str, named: object, stated: object) -> ResourceReference | None:
    if isinstance(named, Named) and read_text(named.id):
        label = read_text(named.key) if kind == TEAM else read_text(named.name)
        return ResourceReference(kind=kind, id=read_text(named.id), key=label)
    return ResourceReference(kind=kind, id=read_text(stated)) if read_text(stated) else None


def identity(who: object) -> ExternalIdentity | None:
    """Return a person, an app or an integration, or None where no id is stated."""
    if not isinstance(who, Named) or not read_text(who.id):
        return None
    name = read_text(who.name) or read_text(who.service)
    return ExternalIdentity(id=read_text(who.id), name=name, kind=read_text(who.type))

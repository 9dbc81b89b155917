"""What a verified delivery means: a change of GitLab's own state, an event, or nothing for anybody here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from urllib.parse import urlsplit

from speckitty_connectors.plugin import (
    Delivery,
    Event,
    GitFacts,
    Ignored,
    Outcome,
    ResourceReference,
    hookimpl,
    read_commits,
    read_identifier,
    read_moment,
    read_text,
)

from .gitfacts import git_facts
from .lifecycle import read_lifecycle
from .manifest import HOST, INSTANCE_HEADER, PROJECT
from .payload import MergeRequest, Numbered, Payload, actor, attributes, decode, group, project

KINDS: Mapping[str, str] = MappingProxyType({"job": "build", "resource_access_token": "access_token"})
"""The kinds that a header calls otherwise than the document does."""

MARKS: Mapping[str, str] = MappingProxyType({"merge_request": "!", "issue": "#", "work_item": "#"})
"""What stands before a number that people quote ("GitLab Flavored Markdown": references)."""

SYSTEM = "System Hook"
"""The header of everything that a whole instance tells its administrators ("System hooks")."""


@hookimpl
def route_event(delivery: Delivery) -> Outcome:
    """Return what a delivery means; total, for any kind and any content."""
    payload = decode(delivery.content)
    if payload is None:
        return Ignored(reason="the body isn't a JSON object")
    if _is_foreign(delivery):
        return Ignored(reason="another GitLab sent it than the one that the webhook belongs to")
    kind = _kind(delivery.kind, payload)
    return read_lifecycle(kind, payload) or _read_event(delivery, kind, payload)


def _is_foreign(delivery: Delivery) -> bool:
    """Return whether ids of another instance would be taken for those of this one.

    A self-managed GitLab may call itself otherwise than people reach it; GitLab.com doesn't.
    """
    instance = delivery.headers.get(INSTANCE_HEADER.lower(), "")
    try:
        sender = urlsplit(instance).hostname
    except ValueError:
        return True
    return bool(instance) and (sender == HOST) is not (delivery.host == HOST)


def _kind(header: str, payload: Payload) -> str:
    """Return the kind; the header tells it where a template left it out, and never the confidential ones apart."""
    stated = read_text(payload.object_kind) or read_text(payload.event_name)
    if stated or header == SYSTEM:
        return stated
    name = header.removesuffix(" Hook").removeprefix("Confidential ").lower().replace(" ", "_")
    return KINDS.get(name, name)


def _read_event(delivery: Delivery, kind: str, payload: Payload) -> Event | Ignored:
    resources = _resources(delivery, payload)
    if not resources and delivery.kind == SYSTEM and not read_text(payload.object_kind):
        return Ignored(reason=f"{kind or 'an event without a kind'} concerns no project and no group")
    git = git_facts(kind, payload)
    return Event(
        kind=kind,
        action=_action(payload),
        resources=resources,
        actor=actor(payload),
        git=git,
        subject=_subject(kind, payload, git),
        occurred_at=_occurred_at(payload),
        fingerprint=_fingerprint(kind, resources, payload, delivery.content),
    )


def _resources(delivery: Delivery, payload: Payload) -> tuple[ResourceReference, ...]:
    """Return what a delivery concerns; where its document says nothing, what its webhook was made for."""
    named = tuple(filter(None, (project(payload), group(payload))))
    return named or delivery.covers


def _action(payload: Payload) -> str:
    about = attributes(payload)
    named = payload.event_name if payload.object_kind and payload.event_name != payload.object_kind else None
    stated = (about.action, payload.action, about.status, payload.build_status, payload.status, named)
    return next(filter(None, map(read_text, stated)), "")


def _subject(kind: str, payload: Payload, git: GitFacts | None) -> str:
    """Return what people quote: the number in the project, not the id in the instance."""
    about = attributes(payload)
    numbered = ((payload.merge_request, "!"), (payload.issue, "#"), (about, MARKS.get(kind, "")))
    for found, mark in numbered:
        number = read_identifier(found.iid) if isinstance(found, MergeRequest | Numbered) and mark else ""
        if number:
            return f"{mark}{number}"
    if git is None:
        return read_text(about.title)
    return git.tag or git.branch or "".join(sha[:7] for sha in git.commits[:1])


def _occurred_at(payload: Payload) -> datetime | None:
    """Return the time of the change; a push states none, its commits' times are their authors' word."""
    about = attributes(payload)
    stated = (
        about.finished_at,
        about.updated_at,
        about.created_at,
        payload.build_finished_at,
        payload.build_started_at,
        payload.build_created_at,
        payload.status_changed_at,
        payload.updated_at,
        payload.released_at,
        payload.created_at,
    )
    return next(filter(None, map(read_moment, stated)), None)


def _fingerprint(kind: str, resources: Sequence[ResourceReference], payload: Payload, content: bytes) -> str:
    """Return what a group's webhook and a project's say alike of one change; nothing where that isn't certain.

    Times have seconds at best, so what changed has its part in it. A branch or tag may be deleted and made again at
    the same commit, which reads the same and is another change; better told twice than never.
    """
    about = attributes(payload)
    ids = (about.id, payload.build_id, payload.deployment_id, payload.id)
    identity = next(filter(None, map(read_identifier, ids)), "")
    times = (about.updated_at, about.finished_at, payload.build_finished_at, payload.status_changed_at)
    stamp = next(filter(None, map(read_text, times)), "")
    moved = read_commits(payload.before) + read_commits(payload.after)
    if not resources or resources[0].kind != PROJECT or not (identity or len(moved) == 2):
        return ""
    if not identity:
        change = (read_text(payload.ref), *moved)
    elif stamp:
        change = (identity, _action(payload), stamp, hashlib.sha256(payload.changes).hexdigest())
    else:
        change = (identity, hashlib.sha256(content).hexdigest())
    parts = "\n".join((kind, resources[0].id, *change))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()

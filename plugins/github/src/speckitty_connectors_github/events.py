"""What a verified delivery means: a change of GitHub's own state, an event, or nothing for anybody here."""

from __future__ import annotations

from datetime import datetime

from speckitty_connectors.plugin import (
    Account,
    Delivery,
    Event,
    GitFacts,
    Ignored,
    Outcome,
    hookimpl,
    read_identifier,
    read_moment,
    read_text,
)

from .gitfacts import git_facts
from .lifecycle import read_lifecycle
from .manifest import APP, DELIVERY_HEADER, HOOK_OF_ID_HEADER, HOOK_OF_TYPE_HEADER
from .payload import (
    Comment,
    Commit,
    Installation,
    Numbered,
    Payload,
    Release,
    Repository,
    Through,
    Timed,
    account,
    decode,
    identity,
    installation_id,
    reference,
)

_OBJECTS = (
    "comment",
    "review",
    "deployment_status",
    "deployment",
    "check_run",
    "check_suite",
    "workflow_job",
    "workflow_run",
    "release",
    "build",
    "alert",
    "pull_request",
    "issue",
    "discussion",
)
"""The objects an event may be about, the one that changed before those it belongs to."""

_PUSHED = frozenset({"create", "delete", "push"})
"""Kinds whose time is that of the repository's last push; the commits' own times are their authors' word."""


@hookimpl
def route_event(delivery: Delivery) -> Outcome:
    """Return what a delivery means; total, for any kind and any content."""
    payload = decode(delivery.content)
    if payload is None:
        return Ignored(reason="the body isn't a JSON object")
    if delivery.kind == "ping":
        return Ignored(reason="a ping: the hook works")
    lifecycle = read_lifecycle(delivery.kind, payload)
    if lifecycle is not None:
        return lifecycle
    return _read_event(delivery, payload)


def _read_event(delivery: Delivery, payload: Payload) -> Event | Ignored:
    resource = reference(payload.repository)
    if resource is None:
        what = ".".join(filter(None, (delivery.kind, read_text(payload.action)))) or "an event without a kind"
        return Ignored(reason=f"{what} concerns no repository")
    if _is_own(delivery, payload):
        return Ignored(reason=f"{delivery.kind} is the app's own doing")
    git = git_facts(delivery.kind, payload)
    return Event(
        kind=delivery.kind,
        action=read_text(payload.action),
        installation=installation_id(payload),
        account=_account(payload),
        resources=(resource,),
        actor=identity(payload.sender),
        git=git,
        subject=_subject(payload, git),
        occurred_at=_occurred_at(delivery.kind, payload),
        # GitHub gives all hooks that report one event the same GUID ("REST API description": hook-delivery-item).
        fingerprint=delivery.headers.get(DELIVERY_HEADER.lower(), ""),
    )


def _is_own(delivery: Delivery, payload: Payload) -> bool:
    """Return whether our own app wrote an issue or a comment, so that a mirroring host makes no circle.

    GitHub says of issues and comments who wrote them, not who changed them later; and of nothing else.
    """
    written = {"opened": payload.issue, "created": payload.comment}.get(read_text(payload.action))
    through = written.performed_via_github_app if isinstance(written, Numbered | Comment) else None
    if not isinstance(through, Through) or delivery.headers.get(HOOK_OF_TYPE_HEADER.lower()) != APP:
        return False
    app = read_identifier(through.id)
    return bool(app) and app == delivery.headers.get(HOOK_OF_ID_HEADER.lower())


def _account(payload: Payload) -> Account | None:
    owner = payload.repository.owner if isinstance(payload.repository, Repository) else None
    installed = payload.installation.account if isinstance(payload.installation, Installation) else None
    return account(owner) or account(payload.organization, "organization") or account(installed)


def _subject(payload: Payload, git: GitFacts | None) -> str:
    for numbered in (payload.pull_request, payload.issue, payload.discussion):
        if isinstance(numbered, Numbered) and read_identifier(numbered.number):
            return f"#{read_identifier(numbered.number)}"
    if isinstance(payload.release, Release) and read_text(payload.release.tag_name):
        return read_text(payload.release.tag_name)
    if git is None:
        return ""
    return git.tag or git.branch or "".join(sha[:7] for sha in git.commits[:1])


def _occurred_at(kind: str, payload: Payload) -> datetime | None:
    for name in _OBJECTS:
        told_of = getattr(payload, name)
        stated = None if told_of is None else _latest(told_of)
        if stated:
            return stated
    if kind in _PUSHED and isinstance(payload.repository, Repository):
        head = payload.head_commit.timestamp if isinstance(payload.head_commit, Commit) else None
        return read_moment(payload.repository.pushed_at) or read_moment(head)
    return _latest(payload)


def _latest(value: object) -> datetime | None:
    if not isinstance(value, Timed):
        return None
    # The base class lists the times in the order in which they report the latest change.
    for name in Timed.__struct_fields__:
        stated = getattr(value, name)
        at = None if stated is None else read_moment(stated)
        if at:
            return at
    return None

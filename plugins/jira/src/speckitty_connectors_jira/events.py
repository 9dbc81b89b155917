"""What a verified delivery means: a change of Jira's own state, an event, or nothing for anybody here."""

from __future__ import annotations

import re

from speckitty_connectors.plugin import (
    Delivery,
    Event,
    ExternalIdentity,
    Ignored,
    Outcome,
    hookimpl,
    read_identifier,
    read_text,
)

from .lifecycle import read_lifecycle
from .payload import (
    ChangedField,
    Changelog,
    Issue,
    Payload,
    Said,
    Version,
    account,
    decode,
    identity,
    moment,
    project_of,
)

_OF_AN_ISSUE = ("comment_", "worklog_", "issue_property_", "issuelink_", "attachment_", "jira:issue_")
"""How the kinds begin that concern an issue, and so a project, even where the payload leaves both out."""

_ISSUE_IN_ADDRESS = re.compile(r"/issue/(\d{1,19})/", re.ASCII)
"""The issue in the address of a comment: ``…/rest/api/2/issue/{issue}/comment/{comment}``."""


@hookimpl
def route_event(delivery: Delivery) -> Outcome:
    """Return what a delivery means; total, for any content. Jira has no header that tells the kind."""
    payload = decode(delivery.content)
    if payload is None:
        return Ignored(reason="the body isn't a JSON object")
    kind = read_text(payload.webhook_event)
    lifecycle = read_lifecycle(kind, payload)
    if lifecycle is not None:
        return lifecycle
    return _read_event(kind, payload)


def _read_event(kind: str, payload: Payload) -> Event | Ignored:
    project = project_of(payload)
    if project is None and not kind.startswith(_OF_AN_ISSUE):
        return Ignored(reason=f"{kind or 'an event without a kind'} concerns no project")
    return Event(
        kind=kind or "jira:unnamed",
        action=_action(payload),
        account=account(payload),
        resources=(project,) if project else (),
        actor=_actor(payload),
        subject=_subject(payload),
        occurred_at=moment(payload.timestamp),
        fingerprint=_fingerprint(kind, payload),
        registrations=_registrations(payload),
    )


def _action(payload: Payload) -> str:
    """Return what happened in Jira's words; administrators may add some of their own."""
    stated = read_text(payload.issue_event_type_name)
    if stated or payload.merged_to is None:
        return stated or ("issue_moved" if _changed(payload, "project") else "")
    return "version_merged"  # told as a deletion ("Webhooks")


def _changed(payload: Payload, name: str) -> bool:
    items = payload.changelog.items if isinstance(payload.changelog, Changelog) else None
    changed = [item for item in items if isinstance(item, ChangedField)] if isinstance(items, list) else []
    return any(name in (read_text(item.field), read_text(item.field_id)) for item in changed)


def _actor(payload: Payload) -> ExternalIdentity | None:
    said = [each for each in (payload.comment, payload.worklog) if isinstance(each, Said)]
    people = [payload.user, *(person for each in said for person in (each.update_author, each.author))]
    return next(filter(None, map(identity, people)), None)


def _subject(payload: Payload) -> str:
    if isinstance(payload.issue, Issue) and read_text(payload.issue.key):
        return read_text(payload.issue.key)
    if isinstance(payload.version, Version):
        return read_text(payload.version.name)
    issue = _issue_id(payload)
    return f"issue {issue}" if issue else ""


def _issue_id(payload: Payload) -> str:
    if isinstance(payload.issue, Issue) and read_identifier(payload.issue.id):
        return read_identifier(payload.issue.id)
    for said in (payload.comment, payload.worklog):
        if isinstance(said, Said):
            found = _ISSUE_IN_ADDRESS.search(read_text(said.address))
            return read_identifier(said.issue_id) or (found.group(1) if found else "")
    return ""


def _fingerprint(kind: str, payload: Payload) -> str:
    """Return what is equal where two webhooks report one change: each has ids of its own, the change has one."""
    site = account(payload)
    about = [
        read_identifier(each.id)
        for each in (payload.comment, payload.worklog, payload.version)
        if isinstance(each, Said | Version)
    ]
    changelog = payload.changelog if isinstance(payload.changelog, Changelog) else Changelog()
    change = read_identifier(changelog.id) or read_identifier(payload.timestamp)
    concerned = [_issue_id(payload), *about]
    if site is None or not change or not any(concerned):
        return ""
    return "|".join([site.url, kind, _action(payload), *concerned, change])


def _registrations(payload: Payload) -> tuple[str, ...]:
    """Return the ids of the app's webhooks that a delivery was sent for; admin webhooks name none."""
    matched = payload.matched_webhook_ids if isinstance(payload.matched_webhook_ids, list) else []
    return tuple(filter(None, map(read_identifier, matched)))

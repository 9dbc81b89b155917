"""The few fields of a delivery that mean something here, decoded in one typed pass ("Webhooks")."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from speckitty_connectors.plugin import (
    Account,
    ExternalIdentity,
    NotAList,
    NotAnObject,
    ResourceReference,
    read_identifier,
    read_moment,
    read_text,
)

from .addresses import site_of
from .manifest import PROJECT


class Linked(msgspec.Struct):
    """Anything that says where it is in the API."""

    address: object = msgspec.field(default=None, name="self")


class Person(Linked, rename="camel"):
    """A person: on Cloud they have an account id, on Data Center a key, on old servers only a name."""

    account_id: object = None
    account_type: object = None
    key: object = None
    name: object = None
    display_name: object = None
    active: object = None


class Project(Linked):
    """A project."""

    id: object = None
    key: object = None


class Fields(msgspec.Struct):
    """The fields of an issue; Atlassian's own sample leaves the project out."""

    project: Project | NotAnObject = None


class Issue(Linked):
    """An issue."""

    id: object = None
    key: object = None
    fields: Fields | NotAnObject = None


class ChangedField(msgspec.Struct, rename="camel"):
    """One field that changed."""

    field: object = None
    field_id: object = None


class Changelog(msgspec.Struct):
    """What changed of an issue."""

    id: object = None
    items: list[ChangedField | NotAnObject] | NotAList = None


class Said(Linked, rename="camel"):
    """A comment or a worklog; a comment tells its issue by its address alone where the issue is left out."""

    id: object = None
    issue_id: object = None
    author: Person | NotAnObject = None
    update_author: Person | NotAnObject = None


class Version(Linked, rename="camel"):
    """A version of a project."""

    id: object = None
    name: object = None
    project_id: object = None


class Payload(msgspec.Struct, rename="camel"):
    """The top level of any delivery."""

    timestamp: object = None
    webhook_event: object = None
    issue_event_type_name: object = msgspec.field(default=None, name="issue_event_type_name")
    matched_webhook_ids: object = None
    user: Person | NotAnObject = None
    issue: Issue | NotAnObject = None
    comment: Said | NotAnObject = None
    worklog: Said | NotAnObject = None
    sprint: Linked | NotAnObject = None
    board: Linked | NotAnObject = None
    version: Version | NotAnObject = None
    merged_to: object = None
    issue_link: Linked | NotAnObject = None
    project: Project | NotAnObject = None
    attachment: Linked | NotAnObject = None
    changelog: Changelog | NotAnObject = None


_DECODER = msgspec.json.Decoder(Payload)

_TOLD_FROM = (
    "issue",
    "comment",
    "sprint",
    "board",
    "worklog",
    "version",
    "issue_link",
    "project",
    "attachment",
    "user",
)
"""The objects that say where they are, the most certain first."""


def decode(content: bytes) -> Payload | None:
    """Return what is read of a body, or None where it isn't one JSON object."""
    try:
        return _DECODER.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def account(payload: Payload) -> Account | None:
    """Return the site, known by its address only, or None where nothing in the payload says where it is."""
    objects = (getattr(payload, name) for name in _TOLD_FROM)
    sites = (site_of(read_text(each.address)) for each in objects if isinstance(each, Linked))
    site = next(filter(None, sites), "")
    return Account(id="", url=site) if site else None


def project_of(payload: Payload) -> ResourceReference | None:
    """Return the project that a delivery concerns, by its id; by its key where nothing else is told."""
    issue = payload.issue if isinstance(payload.issue, Issue) else Issue()
    fields = issue.fields if isinstance(issue.fields, Fields) else Fields()
    for project in (fields.project, payload.project):
        if isinstance(project, Project) and read_identifier(project.id):
            return ResourceReference(kind=PROJECT, id=read_identifier(project.id), key=read_text(project.key))
    if isinstance(payload.version, Version) and read_identifier(payload.version.project_id):
        return ResourceReference(kind=PROJECT, id=read_identifier(payload.version.project_id))
    key = read_text(issue.key).rpartition("-")[0]
    return ResourceReference(kind=PROJECT, id="", key=key) if key else None


def identity(person: object) -> ExternalIdentity | None:
    """Return who somebody is, or None where no id is stated."""
    if not isinstance(person, Person):
        return None
    known = read_text(person.account_id) or read_text(person.key) or read_text(person.name)
    if not known:
        return None
    name = read_text(person.display_name) or read_text(person.name)
    return ExternalIdentity(id=known, name=name, kind=read_text(person.account_type))


def moment(stated: object) -> datetime | None:
    """Return a time in UTC, whether it is written in ISO 8601 or as epoch milliseconds; None for anything else."""
    if not isinstance(stated, int) or isinstance(stated, bool):
        return read_moment(stated)
    seconds = read_moment(stated // 1000)
    return seconds and seconds + timedelta(milliseconds=stated % 1000)

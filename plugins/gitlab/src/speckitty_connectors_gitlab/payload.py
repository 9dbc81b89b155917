"""The few fields of a delivery that mean something here, decoded in one typed pass ("Webhook events").

Shapes differ by event, age and server version, and a maintainer may write a template of their own ("Custom webhook
template"). So a field that isn't what it should be is read as absent: each nested object may also be any other JSON
value, and each leaf is any value until `read_text`, `read_identifier` or `read_moment` has read it.
"""

from __future__ import annotations

import msgspec

from speckitty_connectors.plugin import (
    ExternalIdentity,
    NotAList,
    NotAnObject,
    ResourceReference,
    read_identifier,
    read_text,
)

from .manifest import GROUP, PROJECT


class Project(msgspec.Struct):
    """A project; older deliveries leave out its id."""

    id: object = None
    path_with_namespace: object = None


class Group(msgspec.Struct):
    """A group, as the deliveries about access tokens have it."""

    group_id: object = None
    full_path: object = None


class User(msgspec.Struct):
    """A person; older deliveries leave out the id."""

    id: object = None
    username: object = None


class Commit(msgspec.Struct):
    """A commit; in jobs its `id` is a number, and the commit is `sha`."""

    id: object = None
    added: object = None
    modified: object = None
    removed: object = None


class MergeRequest(msgspec.Struct):
    """A merge request, whole or as the object of a note or a pipeline."""

    iid: object = None
    source_branch: object = None
    source_project_id: object = None
    target_project_id: object = None
    last_commit: Commit | NotAnObject = None


class Numbered(msgspec.Struct):
    """An issue, work item or snippet that a note is about."""

    id: object = None
    iid: object = None


class Attributes(MergeRequest):
    """The `object_attributes`: the object that an event is about."""

    id: object = None
    action: object = None
    status: object = None
    project_id: object = None
    ref: object = None
    tag: object = None
    sha: object = None
    merge_commit_sha: object = None
    updated_at: object = None
    created_at: object = None
    finished_at: object = None
    slug: object = None
    title: object = None


class Payload(msgspec.Struct):
    """The top level of any delivery."""

    object_kind: object = None
    event_name: object = None
    action: object = None
    project: Project | NotAnObject = None
    project_id: object = None
    path_with_namespace: object = None
    project_path_with_namespace: object = None
    old_path_with_namespace: object = None
    group: Group | NotAnObject = None
    group_id: object = None
    full_path: object = None
    old_full_path: object = None
    user: User | NotAnObject = None
    user_id: object = None
    user_username: object = None
    object_attributes: Attributes | NotAnObject = None
    merge_request: MergeRequest | NotAnObject = None
    issue: Numbered | NotAnObject = None
    snippet: Numbered | NotAnObject = None
    commit: Commit | NotAnObject = None
    commits: list[Commit | NotAnObject] | NotAList = None
    total_commits_count: object = None
    ref: object = None
    tag: object = None
    before: object = None
    after: object = None
    checkout_sha: object = None
    sha: object = None
    commit_url: object = None
    status: object = None
    build_id: object = None
    build_status: object = None
    build_finished_at: object = None
    build_started_at: object = None
    build_created_at: object = None
    deployment_id: object = None
    status_changed_at: object = None
    id: object = None
    created_at: object = None
    updated_at: object = None
    released_at: object = None
    changes: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(Payload)


def decode(content: bytes) -> Payload | None:
    """Return what is read of a body, or None where it isn't one JSON object."""
    try:
        return _DECODER.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def attributes(payload: Payload) -> Attributes:
    """Return the object that an event is about, or an empty one."""
    return payload.object_attributes if isinstance(payload.object_attributes, Attributes) else Attributes()


def actor(payload: Payload) -> ExternalIdentity | None:
    """Return who acted, or None where no id is stated; members who are added or removed haven't acted."""
    if isinstance(payload.user, User) and read_identifier(payload.user.id):
        return ExternalIdentity(id=read_identifier(payload.user.id), name=read_text(payload.user.username))
    if read_text(payload.event_name).startswith("user_") or not read_identifier(payload.user_id):
        return None
    return ExternalIdentity(id=read_identifier(payload.user_id), name=read_text(payload.user_username))


def project(payload: Payload) -> ResourceReference | None:
    """Return the project that a delivery concerns, or None where it states no id: a path alone decides nothing."""
    whole = payload.project if isinstance(payload.project, Project) else Project()
    about = attributes(payload)
    # "Job events" have their project's id at the top; what else stands there may be older than it.
    stated = (payload.project_id, whole.id) if payload.object_kind == "build" else (whole.id, payload.project_id)
    candidates = map(read_identifier, (*stated, about.target_project_id, about.project_id))
    found = next(filter(None, candidates), "")
    paths = (whole.path_with_namespace, payload.path_with_namespace, payload.project_path_with_namespace)
    key = next(filter(None, map(read_text, paths)), "")
    return ResourceReference(kind=PROJECT, id=found, key=key) if found else None


def group(payload: Payload) -> ResourceReference | None:
    """Return the group that a delivery concerns, or None where it states no id."""
    whole = payload.group if isinstance(payload.group, Group) else Group()
    found = read_identifier(payload.group_id) or read_identifier(whole.group_id)
    key = read_text(payload.full_path) or read_text(whole.full_path)
    return ResourceReference(kind=GROUP, id=found, key=key) if found else None

"""The few fields of a delivery that mean something here, decoded in one typed pass.

Bodies reach 25 MB and their shapes differ by kind, age and server version ("Webhook events and payloads"). So a
field that isn't what it should be is read as absent, never as an error: each nested object may also be any other
JSON value, and each leaf is any value until `read_text`, `read_identifier` or `read_moment` has read it.
"""

from __future__ import annotations

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

from .manifest import REPOSITORY


class Owner(msgspec.Struct):
    """An organization, user or enterprise; an enterprise has a slug and no login."""

    id: object = None
    login: object = None
    slug: object = None
    type: object = None


class Repository(msgspec.Struct):
    """A repository; in pushes its times are epoch seconds, elsewhere ISO 8601."""

    id: object = None
    name: object = None
    full_name: object = None
    owner: Owner | NotAnObject = None
    private: object = None
    pushed_at: object = None
    updated_at: object = None


class Installation(msgspec.Struct):
    """An installation; in most deliveries only its id is there."""

    id: object = None
    account: Owner | NotAnObject = None
    target_type: object = None
    permissions: object = None
    created_at: object = None
    suspended_at: object = None


class Commit(msgspec.Struct):
    """A commit of a push."""

    id: object = None
    timestamp: object = None
    added: object = None
    removed: object = None
    modified: object = None


class Former(msgspec.Struct):
    """What a changed value was."""

    value: object = msgspec.field(default=None, name="from")


class FormerParty(msgspec.Struct):
    """Who owned a repository before: a user or an organization."""

    user: Owner | NotAnObject = None
    organization: Owner | NotAnObject = None


class FormerOwner(msgspec.Struct):
    """The owner before a transfer."""

    value: FormerParty | NotAnObject = msgspec.field(default=None, name="from")


class RepositoryChanges(msgspec.Struct):
    """What changed of a repository."""

    name: Former | NotAnObject = None


class Changes(msgspec.Struct):
    """What changed, with the values of before."""

    login: Former | NotAnObject = None
    slug: Former | NotAnObject = None
    repository: RepositoryChanges | NotAnObject = None
    owner: FormerOwner | NotAnObject = None


class Timed(msgspec.Struct):
    """The times that objects carry, in the order in which they report the latest change."""

    updated_at: object = None
    completed_at: object = None
    submitted_at: object = None
    published_at: object = None
    started_at: object = None
    created_at: object = None
    timestamp: object = None


class Head(msgspec.Struct):
    """Where a pull request comes from; `repo` is null once a fork is gone."""

    sha: object = None
    ref: object = None
    repo: Repository | NotAnObject | msgspec.UnsetType = msgspec.UNSET


class Through(msgspec.Struct):
    """The app that somebody acted through, or that acted itself."""

    id: object = None


class Numbered(Timed):
    """An issue, pull request, discussion or alert."""

    performed_via_github_app: Through | NotAnObject = None
    number: object = None
    head: Head | NotAnObject = None


class CheckSuite(Timed):
    """A check suite."""

    head_sha: object = None
    head_branch: object = None


class Run(Timed):
    """A check run, workflow run or workflow job."""

    head_sha: object = None
    head_branch: object = None
    head_repository: Repository | NotAnObject | msgspec.UnsetType = msgspec.UNSET
    check_suite: CheckSuite | NotAnObject = None


class Deployment(Timed):
    """A deployment; `ref` is a branch, a tag or a commit."""

    sha: object = None
    ref: object = None


class Release(Timed):
    """A release."""

    tag_name: object = None


class Comment(Timed):
    """A comment or a review."""

    performed_via_github_app: Through | NotAnObject = None
    commit_id: object = None


class PageBuild(Timed):
    """A build of GitHub Pages."""

    commit: object = None


class MergeGroup(msgspec.Struct):
    """A group of the merge queue."""

    head_sha: object = None
    head_ref: object = None


class Branch(msgspec.Struct):
    """A branch that holds the commit of a status."""

    name: object = None


class Payload(Timed):
    """The top level of any delivery."""

    action: object = None
    ref: object = None
    ref_type: object = None
    after: object = None
    sha: object = None
    branch: object = None
    commit_oid: object = None
    repository: Repository | NotAnObject = None
    organization: Owner | NotAnObject = None
    installation: Installation | NotAnObject = None
    sender: Owner | NotAnObject = None
    requester: Owner | NotAnObject = None
    account: Owner | NotAnObject = None
    target_type: object = None
    changes: Changes | NotAnObject = None
    repositories: list[Repository | NotAnObject] | NotAList = None
    repositories_added: list[Repository | NotAnObject] | NotAList = None
    repositories_removed: list[Repository | NotAnObject] | NotAList = None
    commits: list[Commit | NotAnObject] | NotAList = None
    head_commit: Commit | NotAnObject = None
    branches: list[Branch | NotAnObject] | NotAList = None
    pull_request: Numbered | NotAnObject = None
    issue: Numbered | NotAnObject = None
    discussion: Numbered | NotAnObject = None
    alert: Numbered | NotAnObject = None
    comment: Comment | NotAnObject = None
    review: Comment | NotAnObject = None
    check_run: Run | NotAnObject = None
    check_suite: CheckSuite | NotAnObject = None
    workflow_run: Run | NotAnObject = None
    workflow_job: Run | NotAnObject = None
    deployment: Deployment | NotAnObject = None
    deployment_status: Deployment | NotAnObject = None
    release: Release | NotAnObject = None
    build: PageBuild | NotAnObject = None
    merge_group: MergeGroup | NotAnObject = None


_DECODER = msgspec.json.Decoder(Payload)


def decode(content: bytes) -> Payload | None:
    """Return what is read of a body, or None where it isn't one JSON object."""
    try:
        return _DECODER.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def account(owner: object, kind: object = None) -> Account | None:
    """Return an owner as an account, or None where it has no id; `kind` is used where the owner states none."""
    if not isinstance(owner, Owner) or not read_identifier(owner.id):
        return None
    return Account(
        id=read_identifier(owner.id),
        name=read_text(owner.login) or read_text(owner.slug),
        kind=(read_text(owner.type) or read_text(kind)).lower(),
    )


def identity(person: object) -> ExternalIdentity | None:
    """Return who acted, or None where no id is stated."""
    if not isinstance(person, Owner) or not read_identifier(person.id):
        return None
    return ExternalIdentity(
        id=read_identifier(person.id), name=read_text(person.login), kind=read_text(person.type)
    )


def reference(repository: object) -> ResourceReference | None:
    """Return a repository as a resource, or None where no id is stated."""
    if not isinstance(repository, Repository) or not read_identifier(repository.id):
        return None
    owner = read_text(repository.owner.login) if isinstance(repository.owner, Owner) else ""
    key = read_text(repository.full_name) or (f"{owner}/{read_text(repository.name)}" if owner else "")
    named_at = read_moment(repository.updated_at)
    return ResourceReference(kind=REPOSITORY, id=read_identifier(repository.id), key=key, named_at=named_at)


def installation_id(payload: Payload) -> str:
    """Return the id of the installation that a delivery was sent for, or nothing where it names none."""
    return read_identifier(payload.installation.id) if isinstance(payload.installation, Installation) else ""

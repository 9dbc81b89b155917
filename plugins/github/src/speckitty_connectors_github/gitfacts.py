"""The git facts that a delivery states, kind by kind ("Webhook events and payloads")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from types import MappingProxyType

import msgspec
from attrs import evolve

from speckitty_connectors.plugin import GitFacts, read_commits, read_identifier, read_ref, read_text

from .payload import (
    Branch,
    CheckSuite,
    Comment,
    Commit,
    Deployment,
    Head,
    MergeGroup,
    Numbered,
    PageBuild,
    Payload,
    Release,
    Repository,
    Run,
)

_NONE = GitFacts()


def git_facts(kind: str, payload: Payload) -> GitFacts | None:
    """Return the git facts of a delivery, or None where it states none."""
    facts = _READERS.get(kind, _of_pull_request)(payload)
    return None if facts == _NONE else facts


def _from_fork(source: object, payload: Payload) -> bool:
    """Return whether a branch lives elsewhere; a source that is null was a fork and is gone."""
    if source is msgspec.UNSET or not isinstance(payload.repository, Repository):
        return False
    return not isinstance(source, Repository) or read_identifier(source.id) != read_identifier(
        payload.repository.id
    )


def _of_push(payload: Payload) -> GitFacts:
    named = read_ref(payload.ref)
    commits = payload.commits if isinstance(payload.commits, list) else []
    listed = [commit for commit in commits if isinstance(commit, Commit)]
    newest = payload.head_commit.id if isinstance(payload.head_commit, Commit) else None
    # An annotated tag points to a tag object, which is no commit.
    after = None if named.tag else payload.after
    return evolve(
        named,
        commits=read_commits(newest, after, *(commit.id for commit in reversed(listed))),
        paths=tuple(dict.fromkeys(chain.from_iterable(map(_paths, listed)))),
    )


def _paths(commit: Commit) -> Iterable[str]:
    for changed in (commit.added, commit.modified, commit.removed):
        if isinstance(changed, list):
            yield from (path for path in changed if isinstance(path, str))


def _of_ref(payload: Payload) -> GitFacts:
    name = read_text(payload.ref)
    if payload.ref_type == "tag":
        return GitFacts(tag=name)
    return GitFacts(branch=name) if payload.ref_type == "branch" else _NONE


def _of_pull_request(payload: Payload) -> GitFacts:
    if not isinstance(payload.pull_request, Numbered) or not isinstance(payload.pull_request.head, Head):
        return _NONE
    head = payload.pull_request.head
    return GitFacts(
        branch=read_text(head.ref), commits=read_commits(head.sha), from_fork=_from_fork(head.repo, payload)
    )


def _of_check_run(payload: Payload) -> GitFacts:
    if not isinstance(payload.check_run, Run):
        return _NONE
    suite = payload.check_run.check_suite
    branch = read_text(suite.head_branch) if isinstance(suite, CheckSuite) else ""
    return GitFacts(branch=branch, commits=read_commits(payload.check_run.head_sha))


def _of_check_suite(payload: Payload) -> GitFacts:
    suite = payload.check_suite
    if not isinstance(suite, CheckSuite):
        return _NONE
    return GitFacts(branch=read_text(suite.head_branch), commits=read_commits(suite.head_sha))


def _of_workflow(payload: Payload) -> GitFacts:
    run = payload.workflow_run if isinstance(payload.workflow_run, Run) else payload.workflow_job
    if not isinstance(run, Run):
        return _NONE
    return GitFacts(
        branch=read_text(run.head_branch),
        commits=read_commits(run.head_sha),
        from_fork=_from_fork(run.head_repository, payload),
    )


def _of_status(payload: Payload) -> GitFacts:
    branches = payload.branches if isinstance(payload.branches, list) else []
    names = [read_text(branch.name) for branch in branches if isinstance(branch, Branch)]
    # A commit that is on several branches says nothing about which one is meant.
    return GitFacts(branch=names[0] if len(names) == 1 else "", commits=read_commits(payload.sha))


def _of_deployment(payload: Payload) -> GitFacts:
    deployment = payload.deployment
    if not isinstance(deployment, Deployment):
        return _NONE
    return evolve(read_ref(deployment.ref), commits=read_commits(deployment.sha))


def _of_release(payload: Payload) -> GitFacts:
    return GitFacts(tag=read_text(payload.release.tag_name)) if isinstance(payload.release, Release) else _NONE


def _of_commit_comment(payload: Payload) -> GitFacts:
    comment = payload.comment
    return GitFacts(commits=read_commits(comment.commit_id)) if isinstance(comment, Comment) else _NONE


def _of_page_build(payload: Payload) -> GitFacts:
    build = payload.build
    return GitFacts(commits=read_commits(build.commit)) if isinstance(build, PageBuild) else _NONE


def _of_merge_group(payload: Payload) -> GitFacts:
    group = payload.merge_group
    if not isinstance(group, MergeGroup):
        return _NONE
    return evolve(read_ref(group.head_ref), commits=read_commits(group.head_sha))


def _of_code_scanning(payload: Payload) -> GitFacts:
    return evolve(read_ref(payload.ref), commits=read_commits(payload.commit_oid))


_READERS: Mapping[str, Callable[[Payload], GitFacts]] = MappingProxyType(
    {
        "check_run": _of_check_run,
        "check_suite": _of_check_suite,
        "code_scanning_alert": _of_code_scanning,
        "commit_comment": _of_commit_comment,
        "create": _of_ref,
        "delete": _of_ref,
        "deployment": _of_deployment,
        "deployment_status": _of_deployment,
        "merge_group": _of_merge_group,
        "page_build": _of_page_build,
        "push": _of_push,
        "release": _of_release,
        "repository_dispatch": lambda payload: read_ref(payload.branch),
        "status": _of_status,
        "workflow_dispatch": lambda payload: read_ref(payload.ref),
        "workflow_job": _of_workflow,
        "workflow_run": _of_workflow,
    }
)

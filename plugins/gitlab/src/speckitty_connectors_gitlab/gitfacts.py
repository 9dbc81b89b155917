"""The git facts that a delivery states, kind by kind ("Webhook events")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from types import MappingProxyType

from attrs import evolve

from speckitty_connectors.plugin import GitFacts, read_commits, read_identifier, read_ref, read_text

from .payload import Commit, MergeRequest, Payload, attributes

_NONE = GitFacts()


def git_facts(kind: str, payload: Payload) -> GitFacts | None:
    """Return the git facts of a delivery, or None where it states none."""
    facts = _READERS.get(kind, _of_nothing)(payload)
    return None if facts == _NONE else facts


def _of_nothing(_: Payload) -> GitFacts:
    return _NONE


def _of_push(payload: Payload) -> GitFacts:
    """Read a push; it lists 20 commits at most, and says how many there were ("Push events")."""
    commits = payload.commits if isinstance(payload.commits, list) else []
    listed = [commit for commit in commits if isinstance(commit, Commit)]
    total = payload.total_commits_count
    return evolve(
        read_ref(payload.ref),
        commits=read_commits(payload.checkout_sha, payload.after, *(commit.id for commit in reversed(listed))),
        paths=tuple(dict.fromkeys(chain.from_iterable(map(_paths, listed)))),
        truncated=isinstance(total, int) and total > len(listed),
    )


def _of_tag(payload: Payload) -> GitFacts:
    # After an annotated tag `after` is a tag object, which is no commit; what it points to is `checkout_sha`.
    return evolve(read_ref(payload.ref), commits=read_commits(payload.checkout_sha))


def _paths(commit: Commit) -> Iterable[str]:
    for changed in (commit.added, commit.modified, commit.removed):
        if isinstance(changed, list):
            yield from (path for path in changed if isinstance(path, str))


def _of_merge_request(payload: Payload) -> GitFacts:
    facts = _source(payload.object_attributes)
    return evolve(facts, commits=read_commits(attributes(payload).merge_commit_sha, *facts.commits))


def _source(merge_request: object) -> GitFacts:
    """Return where a merge request comes from."""
    if not isinstance(merge_request, MergeRequest):
        return _NONE
    source, target = map(read_identifier, (merge_request.source_project_id, merge_request.target_project_id))
    commit = merge_request.last_commit.id if isinstance(merge_request.last_commit, Commit) else None
    return GitFacts(
        branch=read_text(merge_request.source_branch),
        commits=read_commits(commit),
        from_fork=bool(source and target and source != target),
    )


def _of_note(payload: Payload) -> GitFacts:
    if isinstance(payload.merge_request, MergeRequest):
        return _source(payload.merge_request)
    return GitFacts(commits=read_commits(payload.commit.id)) if isinstance(payload.commit, Commit) else _NONE


def _of_pipeline(payload: Payload) -> GitFacts:
    about = attributes(payload)
    if isinstance(payload.merge_request, MergeRequest):
        return evolve(_source(payload.merge_request), commits=read_commits(about.sha))
    return evolve(_ref(about.ref, about.tag), commits=read_commits(about.sha))


def _of_job(payload: Payload) -> GitFacts:
    return evolve(_ref(payload.ref, payload.tag), commits=read_commits(payload.sha))


def _ref(ref: object, is_tag: object) -> GitFacts:
    return GitFacts(tag=read_text(ref)) if is_tag is True else read_ref(ref)


def _of_deployment(payload: Payload) -> GitFacts:
    """Read a deployment: its own SHA is short, and the whole one ends the commit's address."""
    return evolve(read_ref(payload.ref), commits=read_commits(read_text(payload.commit_url).rpartition("/")[2]))


def _of_release(payload: Payload) -> GitFacts:
    commit = payload.commit.id if isinstance(payload.commit, Commit) else None
    return GitFacts(tag=read_text(payload.tag), commits=read_commits(commit))


_READERS: Mapping[str, Callable[[Payload], GitFacts]] = MappingProxyType(
    {
        "build": _of_job,
        "deployment": _of_deployment,
        "merge_request": _of_merge_request,
        "note": _of_note,
        "pipeline": _of_pipeline,
        "push": _of_push,
        "release": _of_release,
        "tag_push": _of_tag,
    }
)

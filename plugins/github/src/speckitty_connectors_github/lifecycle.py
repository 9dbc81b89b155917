"""Deliveries that report a change of GitHub's own state ("Webhook events and payloads")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import evolve

from speckitty_connectors.plugin import Change, Ignored, Lifecycle, ResourceReference, read_moment, read_text

from .payload import (
    Changes,
    Former,
    FormerOwner,
    FormerParty,
    Installation,
    Owner,
    Payload,
    Repository,
    RepositoryChanges,
    account,
    identity,
    installation_id,
    reference,
)


def read_lifecycle(kind: str, payload: Payload) -> Lifecycle | Ignored | None:
    """Return the change that a delivery reports, or None where it reports none.

    A delivery of a known kind that doesn't name what it changed is `Ignored`.
    """
    change, read = _TABLE.get((kind, read_text(payload.action)), (None, None))
    if change is None or read is None or (kind in _OF_ACCOUNTS and isinstance(payload.repository, Repository)):
        return None
    blank = Lifecycle(change=change, installation=installation_id(payload), actor=identity(payload.sender))
    return read(blank, payload) or Ignored(reason=f"{kind} names nothing that {change} could be about")


def _of_installation(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    """Read a change of an installation, which is there in full.

    Where another event names one, only its id is there. The kind's header isn't signed, so a captured body of such
    an event is told by that.
    """
    installation = payload.installation
    if not isinstance(installation, Installation) or not blank.installation:
        return None
    concerned = account(installation.account, installation.target_type)
    return evolve(blank, account=concerned, requester=identity(payload.requester)) if concerned else None


def _of_grant(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    """Read what states the granted permissions."""
    lifecycle = _of_installation(blank, payload)
    if lifecycle is None or not isinstance(payload.installation, Installation):
        return None
    return evolve(lifecycle, scopes=_scopes(payload.installation.permissions))


def _installed(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    lifecycle = _of_grant(blank, payload)
    if lifecycle is None or not isinstance(payload.installation, Installation):
        return None
    listed = _references(payload.repositories)
    since = read_moment(payload.installation.created_at)
    return evolve(lifecycle, resources=listed, relist=not listed, occurred_at=since)


def _suspended(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    lifecycle = _of_installation(blank, payload)
    since = payload.installation.suspended_at if isinstance(payload.installation, Installation) else None
    return lifecycle and evolve(lifecycle, occurred_at=read_moment(since))


def _of_selection(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    """Read a change of the chosen repositories.

    Where the choice went from all to some, GitHub lists none of those that were removed.
    """
    lifecycle = _of_installation(blank, payload)
    added, removed = _references(payload.repositories_added), _references(payload.repositories_removed)
    listed, other = (added, removed) if blank.change is Change.RESOURCES_ADDED else (removed, added)
    return lifecycle and evolve(lifecycle, resources=listed, relist=not listed or bool(other))


def _of_account(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    """Read `organization` and `installation_target`, whose account may also be a user or an enterprise."""
    concerned = account(payload.organization, "organization") or account(payload.account, payload.target_type)
    changes = payload.changes if isinstance(payload.changes, Changes) else Changes()
    former = tuple(filter(None, (_former(changes.login), _former(changes.slug))))
    return evolve(blank, account=concerned, former=former) if concerned else None


def _of_repository(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    resource, repository = reference(payload.repository), payload.repository
    if resource is None or not isinstance(repository, Repository):
        return None
    return evolve(blank, account=account(repository.owner), resources=(resource,))


def _of_settings(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    """Read a change of the repository's own record, whose time of update is that of the change."""
    lifecycle = _of_repository(blank, payload)
    changed = payload.repository.updated_at if isinstance(payload.repository, Repository) else None
    return lifecycle and evolve(lifecycle, occurred_at=read_moment(changed))


def _visibility(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    """Read whether the repository is private from now on, where the delivery says so."""
    lifecycle = _of_settings(blank, payload)
    private = payload.repository.private if isinstance(payload.repository, Repository) else None
    return lifecycle and evolve(lifecycle, private=private if isinstance(private, bool) else None)


def _renamed(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    lifecycle = _of_settings(blank, payload)
    changes = payload.changes if isinstance(payload.changes, Changes) else Changes()
    name = _former(changes.repository.name) if isinstance(changes.repository, RepositoryChanges) else ""
    if lifecycle is None or not name:
        return lifecycle
    owner, slash, _ = lifecycle.resources[0].key.rpartition("/")
    return evolve(lifecycle, former=(f"{owner}{slash}{name}",))


def _transferred(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    lifecycle = _of_repository(blank, payload)
    changes = payload.changes if isinstance(payload.changes, Changes) else Changes()
    former = changes.owner.value if isinstance(changes.owner, FormerOwner) else None
    parties = (former.organization, former.user) if isinstance(former, FormerParty) else ()
    owners = tuple(read_text(party.login) for party in parties if isinstance(party, Owner))
    return lifecycle and evolve(lifecycle, former=tuple(filter(None, owners)))


def _of_hook(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    owner = account(payload.organization, "organization")
    return _of_repository(blank, payload) or (evolve(blank, account=owner) if owner else None)


def _revoked(blank: Lifecycle, payload: Payload) -> Lifecycle | None:
    """Read the end of a person's authorisation: the sender is that person, and no installation is named."""
    person = identity(payload.sender)
    return evolve(blank, identities=(person,)) if person else None


def _scopes(permissions: object) -> tuple[str, ...] | None:
    """Return granted permissions as sorted ``name:level``, or None where none are stated."""
    if not isinstance(permissions, dict):
        return None
    return tuple(sorted(f"{name}:{level}" for name, level in permissions.items() if isinstance(level, str)))


def _former(changed: object) -> str:
    return read_text(changed.value) if isinstance(changed, Former) else ""


def _references(repositories: object) -> tuple[ResourceReference, ...]:
    listed = repositories if isinstance(repositories, list) else []
    return tuple(filter(None, map(reference, listed)))


_OF_ACCOUNTS = frozenset({"installation", "installation_repositories", "installation_target", "organization"})
"""Kinds whose bodies name no repository of their own. One that does is a captured body of another event: the header
with the kind isn't signed."""

_Reader = Callable[[Lifecycle, Payload], Lifecycle | None]

_TABLE: Mapping[tuple[str, str], tuple[Change, _Reader]] = MappingProxyType(
    {
        ("github_app_authorization", "revoked"): (Change.LINK_REVOKED, _revoked),
        ("installation", "created"): (Change.INSTALLED, _installed),
        ("installation", "deleted"): (Change.UNINSTALLED, _of_installation),
        ("installation", "new_permissions_accepted"): (Change.SCOPES_CHANGED, _of_grant),
        ("installation", "suspend"): (Change.SUSPENDED, _suspended),
        ("installation", "unsuspend"): (Change.RESUMED, _of_installation),
        ("installation_repositories", "added"): (Change.RESOURCES_ADDED, _of_selection),
        ("installation_repositories", "removed"): (Change.RESOURCES_REMOVED, _of_selection),
        ("installation_target", "renamed"): (Change.ACCOUNT_RENAMED, _of_account),
        ("meta", "deleted"): (Change.HOOK_REMOVED, _of_hook),
        ("organization", "deleted"): (Change.ACCOUNT_DELETED, _of_account),
        ("organization", "renamed"): (Change.ACCOUNT_RENAMED, _of_account),
        ("public", ""): (Change.VISIBILITY_CHANGED, _visibility),
        ("repository", "archived"): (Change.RESOURCE_ARCHIVED, _of_settings),
        ("repository", "deleted"): (Change.RESOURCE_DELETED, _of_repository),
        ("repository", "privatized"): (Change.VISIBILITY_CHANGED, _visibility),
        ("repository", "publicized"): (Change.VISIBILITY_CHANGED, _visibility),
        ("repository", "renamed"): (Change.RESOURCE_RENAMED, _renamed),
        ("repository", "transferred"): (Change.RESOURCE_TRANSFERRED, _transferred),
        ("repository", "unarchived"): (Change.RESOURCE_RESTORED, _of_settings),
    }
)

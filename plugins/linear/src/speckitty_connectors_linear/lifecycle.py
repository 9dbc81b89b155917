"""Deliveries that report a change of Linear's own state ("Webhooks", and the payload types of the schema)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import evolve

from speckitty_connectors.plugin import Change, ExternalIdentity, Ignored, Lifecycle, read_moment, read_text

from .payload import Former, Named, Payload, account, identity, project_of, teams, thing_of

_ENDED = ("delete", "remove", "revoke")
"""How the actions begin that end something; those of authorisations aren't documented."""


def read_lifecycle(kind: str, payload: Payload) -> Lifecycle | Ignored | None:
    """Return the change that a delivery reports, or None where it reports none.

    A delivery of a kind that only reports such changes, and names none, is `Ignored`.
    """
    read = _TABLE.get(kind)
    return read(payload) if read else None


def _of_app(payload: Payload) -> Lifecycle | Ignored:
    """Read that the workspace took the app away; what is connected to it ends, with all its links."""
    if payload.action != "revoked" or account(payload) is None:
        return Ignored(reason="the app's registration changed, which concerns no workspace")
    return _lifecycle(Change.UNINSTALLED, payload)


def _of_authorization(payload: Payload) -> Lifecycle | Ignored:
    """Read that a person took back what they had authorised: all of it, where the number of tokens is told.

    One token of several may be anybody's; the link that it was of is found when the token is refused.
    """
    named = identity(payload.user)
    person = named or (ExternalIdentity(id=read_text(payload.user_id)) if read_text(payload.user_id) else None)
    left = payload.active_tokens_for_user
    is_over = left == 0 if isinstance(left, int | float) else read_text(payload.action).startswith(_ENDED)
    if person is None or not is_over or isinstance(left, bool):
        return Ignored(reason="an authorisation changed that leaves the person's link as it is")
    return evolve(_lifecycle(Change.LINK_REVOKED, payload), identities=(person,))


def _of_access(payload: Payload) -> Lifecycle | Ignored:
    """Read which teams the app's user lost and got; a listing finds what became visible, projects included."""
    lost, found = teams(payload.removed_team_ids), teams(payload.added_team_ids)
    if account(payload) is None:
        return Ignored(reason="the access of the app changed in a workspace that isn't named")
    change = Change.RESOURCES_REMOVED if lost else Change.RESOURCES_ADDED
    return evolve(_lifecycle(change, payload), resources=lost or found, relist=True)


def _of_user(payload: Payload) -> Lifecycle | Ignored:
    """Read that a person was suspended or removed; the app's own user, and so the installation, stays."""
    thing = thing_of(payload)
    person = identity(Named(id=thing.id, name=thing.name, type="user"))
    if person is None or (thing.active is not False and not read_text(payload.action).startswith(_ENDED)):
        return Ignored(reason="a profile changed, which concerns no project and no team")
    return evolve(_lifecycle(Change.LINK_REVOKED, payload), identities=(person,))


def _of_project(payload: Payload) -> Lifecycle | None:
    """Read that a project went, came back, or is called something else; any other change of one is an event."""
    project = project_of(thing_of(payload))
    change = _change_of_project(payload)
    if project is None or change is None:
        return None
    former = payload.updated_from.name if isinstance(payload.updated_from, Former) else ""
    return evolve(
        _lifecycle(change, payload),
        resources=(project,),
        former=(read_text(former),) if change is Change.RESOURCE_RENAMED else (),
        # What comes back from the bin may be archived all the same.
        relist=change is Change.RESOURCE_RESTORED,
    )


def _change_of_project(payload: Payload) -> Change | None:
    """Return what an update changed; old deliveries name fields that stayed as they were, so both are compared."""
    project = thing_of(payload)
    if payload.action == "remove":
        return Change.RESOURCE_DELETED
    former = payload.updated_from if isinstance(payload.updated_from, Former) else Former()
    was_gone = former.trashed is True or bool(read_text(former.archived_at))
    is_binned, is_archived = project.trashed is True, bool(read_text(project.archived_at))
    if is_binned and former.trashed in (None, False):
        return Change.RESOURCE_DELETED
    if is_archived and former.archived_at is None:
        return Change.RESOURCE_ARCHIVED
    if was_gone and not is_binned:
        return Change.RESOURCE_RESTORED
    is_renamed = bool(read_text(former.name) and read_text(project.name)) and former.name != project.name
    return Change.RESOURCE_RENAMED if is_renamed else None


def _lifecycle(change: Change, payload: Payload) -> Lifecycle:
    return Lifecycle(
        change=change,
        account=account(payload),
        actor=identity(payload.actor),
        occurred_at=read_moment(payload.created_at),
    )


_TABLE: Mapping[str, Callable[[Payload], Lifecycle | Ignored | None]] = MappingProxyType(
    {
        "OAuthApp": _of_app,
        "OAuthAuthorization": _of_authorization,
        "PermissionChange": _of_access,
        "Project": _of_project,
        "User": _of_user,
    }
)

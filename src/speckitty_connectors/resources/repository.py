"""Writes resources as listings and deliveries show them, and the history of their keys.

Each attribute that a provider changes holds what was said about the latest moment; of one moment, the greater
value. So what is told may arrive in any order and any number of times, and ends in the same row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, or_, select, update

from ..errors import ConflictError, NotFoundError
from ..identifiers import InstallationKey, new_id
from ..providers.resources import Resource, ResourceReference
from ..store.metadata import upsert
from ..store.rows import from_row, is_row, is_under
from .hierarchy import Place, among
from .tables import resource_keys, resources
from .types import NEVER, Belief, KnownResource, ResourceStatus

CHANGING = ("key", "status", "archived", "private")
"""The columns that changes are about, each with a column ``…_at`` for the moment."""

DETAILS = ("url", "parent_id", "attributes")
"""The columns that only listings know."""

PRESENT: Mapping[str, object] = MappingProxyType({"status": ResourceStatus.ACTIVE})
"""What a mention tells at least: that the resource is there."""

NOTHING_MORE: Mapping[str, object] = MappingProxyType({})
"""What a mention says that has a key alone."""


def upsert_resources(
    connection: Connection, installation: InstallationKey, *, listed: Iterable[Resource], at: datetime
) -> int:
    """Write what a listing saw, make it active unless it lies in the provider's bin, and remember its keys.

    Returns how many there were. Of the keys that it had before, nobody says when: they were its keys all along.
    """
    seen = list(listed)
    rows = [
        {
            **_new_row(installation, resource.kind, resource.id, at),
            **_told(_shown(resource), resource.key, at),
            "url": resource.url,
            "parent_id": resource.parent_id,
            "attributes": dict(resource.attributes),
        }
        for resource in seen
    ]
    former = {(resource.kind, resource.id): resource.former_keys for resource in seen}
    return _write(connection, installation.workspace, rows, CHANGING, DETAILS, former)


def note_references(
    connection: Connection,
    installation: InstallationKey,
    *,
    references: Iterable[ResourceReference],
    at: datetime,
    told: Mapping[str, object] = PRESENT,
) -> int:
    """Write what a delivery says about resources; return how many there were.

    What wasn't known is noted, so that what occurred before it and comes after it finds it there. Details that
    a listing found stay as they are.

    Args:
        connection: the transaction.
        installation: what they are seen through.
        references: the resources; a key is told with the rest, where there is one.
        at: when it was so.
        told: column of `CHANGING` → its value; nothing more than the key where empty.
    """
    rows = [
        {
            **_new_row(installation, reference.kind, reference.id, at),
            **_told(told, reference.key, at),
        }
        for reference in references
    ]
    return _write(connection, installation.workspace, rows, ("key", *told))


def remember_keys(connection: Connection, workspace: str, seen: Iterable[tuple[str, str, datetime]]) -> None:
    """Add keys to the history of resources: our id, the key, and the moment at which it was theirs."""
    rows = [
        {
            "workspace_id": workspace,
            "resource_id": resource_id,
            "key": key,
            "folded_key": key.lower(),
            "first_seen": at,
            "last_seen": at,
        }
        for resource_id, key, at in seen
        if key
    ]
    if not rows:
        return
    statement = upsert(connection, resource_keys)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["workspace_id", "resource_id", "key"],
            set_={
                "first_seen": _earlier(new["first_seen"], resource_keys.c.first_seen),
                "last_seen": _later(new["last_seen"], resource_keys.c.last_seen),
            },
        ),
        rows,
    )


def _new_row(installation: InstallationKey, kind: str, external_id: str, at: datetime) -> dict[str, object]:
    return {
        "workspace_id": installation.workspace,
        "id": new_id(),
        "installation_id": installation.id,
        "kind": kind,
        "external_id": external_id,
        "key": "",
        "url": "",
        "parent_id": "",
        "status": ResourceStatus.ACTIVE,
        "archived": False,
        "private": False,
        "attributes": {},
        "first_seen": at,
        "last_seen": at,
        "successor_id": "",
        **{f"{column}_at": NEVER for column in CHANGING},
    }


def _shown(resource: Resource) -> Mapping[str, object]:
    status = ResourceStatus.DELETED if resource.deleted else ResourceStatus.ACTIVE
    return {"archived": resource.archived, "private": resource.private, "status": status}


def _told(told: Mapping[str, object], key: str, at: datetime) -> dict[str, object]:
    values = {**told, "key": key} if key else told
    return {**values, **{f"{column}_at": at for column in values}}


def _write(
    connection: Connection,
    workspace: str,
    rows: Iterable[Mapping[str, Any]],
    changing: Sequence[str],
    details: Sequence[str] = (),
    former: Mapping[tuple[str, str], Sequence[str]] = MappingProxyType({}),
) -> int:
    """Insert or update rows by their identity; an id that was replaced stays what it is."""
    latest = {(row["kind"], row["external_id"]): row for row in rows}
    if not latest:
        return 0
    statement = upsert(connection, resources)
    new, old = statement.excluded, resources.c
    values: dict[str, ColumnElement[Any]] = {
        "first_seen": _earlier(new["first_seen"], old.first_seen),
        "last_seen": _later(new["last_seen"], old.last_seen),
    }
    for column in changing:
        moment = f"{column}_at"
        greater = and_(new[moment] == old[moment], new[column] > old[column])
        holds = or_(new[moment] > old[moment], greater)
        values |= {name: case((holds, new[name]), else_=old[name]) for name in (column, moment)}
    for column in details:
        values[column] = case((new["last_seen"] >= old.last_seen, new[column]), else_=old[column])
    statement = statement.on_conflict_do_update(
        index_elements=["workspace_id", "installation_id", "kind", "external_id"],
        set_=values,
        where=old.successor_id == "",
    )
    written = connection.execute(
        statement.returning(old.id, old.kind, old.external_id), list(latest.values())
    ).all()
    told = [(row.id, latest[row.kind, row.external_id]) for row in written]
    remember_keys(connection, workspace, [(known, row["key"], row["last_seen"]) for known, row in told])
    before = [(row.id, key, NEVER) for row in written for key in former.get((row.kind, row.external_id), ())]
    remember_keys(connection, workspace, before)
    return len(latest)


def _later(new: ColumnElement[Any], old: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((new > old, new), else_=old)


def _earlier(new: ColumnElement[Any], old: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((new < old, new), else_=old)


def find_resource(connection: Connection, installation: InstallationKey, place: Place) -> KnownResource | None:
    """Return the resource of that identity, or None."""
    return find_resources(connection, installation, [place]).get(place)


def find_resources(
    connection: Connection, installation: InstallationKey, places: Iterable[Place]
) -> dict[Place, KnownResource]:
    """Return those of these resources that are known, each under its identity."""
    return {
        (row.kind, row.external_id): _known(row)
        for wanted in among(places)
        for row in connection.execute(select(resources).where(is_under(resources, installation), wanted))
    }


def get_resource(connection: Connection, *, workspace: str, resource_id: str) -> KnownResource:
    """Return the resource of our id.

    Raises:
        NotFoundError: there is none in this workspace.
    """
    row = connection.execute(select(resources).where(is_row(resources, workspace, resource_id))).one_or_none()
    if row is None:
        raise no_resource(resource_id)
    return _known(row)


def list_resources(connection: Connection, installation: InstallationKey) -> list[KnownResource]:
    """Return the installation's resources, ordered by their key of today."""
    query = select(resources).where(is_under(resources, installation)).order_by(resources.c.key, resources.c.id)
    return [_known(row) for row in connection.execute(query)]


def find_by_key(
    connection: Connection, workspace: str, wanted: ResourceReference, *, installation_id: str = ""
) -> list[KnownResource]:
    """Return the resources that have a key today, or where none has, those that had it once.

    Of the reference its key counts, and its kind where it has one.
    """
    had_it = select(resource_keys.c.resource_id).where(
        resource_keys.c.workspace_id == workspace, resource_keys.c.key == wanted.key
    )
    query = select(resources).where(resources.c.workspace_id == workspace, resources.c.id.in_(had_it))
    if wanted.kind:
        query = query.where(resources.c.kind == wanted.kind)
    if installation_id:
        query = query.where(resources.c.installation_id == installation_id)
    found = [_known(row) for row in connection.execute(query.order_by(resources.c.id))]
    return [known for known in found if known.key == wanted.key] or found


def list_page(
    connection: Connection, installation: InstallationKey, *, after: str, limit: int
) -> list[KnownResource]:
    """Return up to `limit` active resources by our ids, those behind the one of id `after`."""
    rows = connection.execute(
        select(resources)
        .where(is_under(resources, installation), resources.c.id > after)
        .where(resources.c.status == ResourceStatus.ACTIVE)
        .order_by(resources.c.id)
        .limit(limit)
    )
    return [_known(row) for row in rows]


def resolve_key(connection: Connection, installation: InstallationKey, wanted: ResourceReference) -> KnownResource:
    """Return the resource that a person means by a key: one that has it today, else one that had it once.

    Raises:
        NotFoundError: none has or had that key.
        ConflictError: several do, so the key doesn't say which.
    """
    found = find_by_key(connection, installation.workspace, wanted, installation_id=installation.id)
    if not found:
        raise no_resource(wanted.key)
    if len(found) > 1:
        raise ConflictError(
            f"{len(found)} resources have or had this key",
            subject=f"resource {wanted.key}",
            remedy="name the one you mean by its kind and the provider's id",
        )
    return found[0]


def identify(
    connection: Connection, installation: InstallationKey, reference: ResourceReference
) -> ResourceReference:
    """Return a mention that has a key alone with the id of the one resource that has this key today.

    A key that none, or more than one, of the installation's resources has stays without an id.
    """
    bearers = find_by_key(connection, installation.workspace, reference, installation_id=installation.id)
    today = [each for each in bearers if each.key == reference.key and each.status is ResourceStatus.ACTIVE]
    return evolve(reference, id=today[0].external_id) if len(today) == 1 else reference


def former_keys(connection: Connection, *, workspace: str, resource_id: str) -> list[str]:
    """Return every key the resource has had, the newest first."""
    rows = connection.execute(
        select(resource_keys.c.key)
        .where(resource_keys.c.workspace_id == workspace, resource_keys.c.resource_id == resource_id)
        .order_by(resource_keys.c.last_seen.desc(), resource_keys.c.key)
    )
    return [row.key for row in rows]


def change_resource(
    connection: Connection,
    installation: InstallationKey,
    reference: ResourceReference,
    *,
    at: datetime,
    told: Mapping[str, object] = NOTHING_MORE,
) -> bool:
    """Change what is known about a resource; return whether anything changed.

    What was said about a later moment stays, so that a late delivery undoes nothing. A key is added to the history.

    Args:
        connection: the transaction.
        installation: what it is seen through.
        reference: the resource; a key is told with the rest, where there is one.
        at: when it was so.
        told: column of `CHANGING` → its value.
    """
    known = find_resource(connection, installation, reference.place)
    if known is None:
        return False
    note_references(connection, installation, references=[reference], at=at, told=told)
    return not is_same(known, get_resource(connection, workspace=known.workspace, resource_id=known.id))


def is_same(one: KnownResource | None, other: KnownResource | None) -> bool:
    """Return whether a person would see no difference, whatever the moments are."""
    if one is None or other is None:
        return one is other
    return all(getattr(one, column) == getattr(other, column) for column in CHANGING)


def orphan_resources(connection: Connection, installation: InstallationKey) -> int:
    """Mark the active resources of an installation that is gone; return how many there were."""
    return _move(connection, installation, ResourceStatus.ACTIVE, ResourceStatus.ORPHANED)


def revive_resources(connection: Connection, installation: InstallationKey) -> int:
    """Adopt the orphaned resources of an installation that is back; return how many there were."""
    return _move(connection, installation, ResourceStatus.ORPHANED, ResourceStatus.ACTIVE)


@frozen(kw_only=True)
class Unseen:
    """What a complete listing didn't show of what was there before.

    Attributes:
        missing: how many are missing by now.
        doubted: how many were not shown for the first time, or too shortly ago, to be missing.
        held_back: how many would be missing, but are too many at once to be believed.
    """

    missing: int = 0
    doubted: int = 0
    held_back: int = 0


def mark_unseen(
    connection: Connection, installation: InstallationKey, *, since: datetime, belief: Belief, is_confirmed: bool
) -> Unseen:
    """Note what a complete listing that began at `since` didn't show, and mark what is missing by that.

    One listing is no proof: a page may have been cut, or an entry have moved to a page that was read before.

    Args:
        connection: the transaction.
        installation: whose resources were listed.
        since: when the listing began.
        belief: when what isn't shown is missing.
        is_confirmed: whether a person says that it is right, so that it is believed at once.
    """
    present = and_(is_under(resources, installation), resources.c.status == ResourceStatus.ACTIVE)
    unseen = and_(present, resources.c.last_seen < since)
    first_time = or_(resources.c.missed_at.is_(None), resources.c.missed_at < resources.c.last_seen)
    connection.execute(update(resources).where(unseen, first_time).values(missed_at=since))
    believed = since if is_confirmed else since - belief.interval
    due = and_(unseen, resources.c.missed_at <= believed)
    counts = select(func.count(), func.count(case((unseen, 1))), func.count(case((due, 1))))
    known, doubted, missing = connection.execute(counts.where(present)).one()
    if missing > belief.most_of(known) and not is_confirmed:
        return Unseen(doubted=doubted - missing, held_back=missing)
    connection.execute(update(resources).where(due).values(status=ResourceStatus.MISSING, status_at=since))
    return Unseen(missing=missing, doubted=doubted - missing)


def find_doubted(connection: Connection, *, before: datetime) -> set[InstallationKey]:
    """Return the installations, in every workspace, something of which a listing before then didn't show."""
    doubted = and_(
        resources.c.status == ResourceStatus.ACTIVE,
        resources.c.missed_at >= resources.c.last_seen,
        resources.c.missed_at <= before,
    )
    rows = connection.execute(
        select(resources.c.workspace_id, resources.c.installation_id).where(doubted).distinct()
    )
    return {InstallationKey(workspace=row.workspace_id, id=row.installation_id) for row in rows}


def no_resource(name: str) -> NotFoundError:
    """Return the error that says that a resource isn't there."""
    return NotFoundError(
        "there is no such resource in this workspace",
        subject=f"resource {name}",
        remedy="sync the inventory of the installation, then use what it lists",
    )


def _known(row: Row[tuple[object, ...]]) -> KnownResource:
    return from_row(KnownResource, row, status=ResourceStatus(row.status))


def _move(
    connection: Connection,
    installation: InstallationKey,
    before: ResourceStatus,
    after: ResourceStatus,
    *conditions: ColumnElement[bool],
    **values: object,
) -> int:
    moved = connection.execute(
        update(resources)
        .where(is_under(resources, installation), resources.c.status == before, *conditions)
        .values(status=after, **values)
    )
    return moved.rowcount

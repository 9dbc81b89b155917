"""The keys that a provider says its resources had before we knew them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, tuple_

from ..providers.resources import Resource
from .tables import resource_keys, resources


def remember_former_keys(
    connection: Connection, *, workspace: str, installation_id: str, listed: Sequence[Resource], at: datetime
) -> None:
    """Add the former keys of listed resources to their history; those that are in it stay as they are."""
    told = {(resource.kind, resource.id): resource.former_keys for resource in listed if resource.former_keys}
    if not told:
        return
    known = connection.execute(
        select(resources.c.id, resources.c.kind, resources.c.external_id, resource_keys.c.key)
        .outerjoin_from(
            resources,
            resource_keys,
            (resource_keys.c.workspace_id == resources.c.workspace_id)
            & (resource_keys.c.resource_id == resources.c.id),
        )
        .where(resources.c.workspace_id == workspace, resources.c.installation_id == installation_id)
        .where(tuple_(resources.c.kind, resources.c.external_id).in_(list(told)))
    ).all()
    in_history = {(row.id, row.key) for row in known}
    ids = {(row.kind, row.external_id): row.id for row in known}
    new = {(ids[identity], key) for identity in ids for key in told[identity]} - in_history
    rows = [
        {"workspace_id": workspace, "resource_id": resource_id, "key": key, "first_seen": at, "last_seen": at}
        for resource_id, key in sorted(new)
    ]
    if rows:
        connection.execute(insert(resource_keys), rows)

"""Which resource is meant: by its immutable id, or by what people and files call it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from sqlalchemy import Connection

from ..errors import ConflictError
from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..installations.types import Installation
from ..providers.resources import ResourceReference
from ..resources.repository import find_by_key, find_resource, find_resources, no_resource, resolve_key
from ..resources.types import KnownResource


def resolve(connection: Connection, installation: InstallationKey, wanted: ResourceReference) -> KnownResource:
    """Return the resource of an installation: by its id, or by a key of today or of former days where it has none.

    Raises:
        NotFoundError: the workspace has no such installation, or it no such resource.
        ConflictError: several resources have or had that key.
    """
    installations.get(connection, installation)
    if not wanted.id:
        return resolve_key(connection, installation, wanted)
    known = find_resource(connection, installation, wanted.place)
    if known is None:
        raise no_resource(f"{wanted.kind} {wanted.id}")
    return known


def find_everywhere(
    connection: Connection, *, workspace: str, provider: str, host: str, wanted: ResourceReference
) -> list[KnownResource]:
    """Return the resources of a workspace that are meant, one for each installation that sees the same one.

    `host` is the provider's host, or an alias of it: the name of the account, or the host of the resource's page,
    for example ``acme.atlassian.net``. Empty, any will do.

    Raises:
        ConflictError: different resources have or had that key.
    """
    owners = {
        installation.id: installation
        for installation in installations.list_all(connection, workspace=workspace, provider=provider)
    }
    found = [
        known
        for known in _candidates(connection, workspace, owners.values(), wanted)
        if known.installation_id in owners and _is_at(known, owners[known.installation_id], host)
    ]
    if len({(owners[known.installation_id].host, known.place) for known in found}) > 1:
        raise ConflictError(
            f"{len(found)} resources have or had this key",
            subject=f"{provider} resource {wanted.key or wanted.id}",
            remedy="name the host too, or the one you mean by the provider's id",
        )
    return found


def _candidates(
    connection: Connection, workspace: str, owners: Iterable[Installation], wanted: ResourceReference
) -> Iterator[KnownResource]:
    if not wanted.id:
        yield from find_by_key(connection, workspace, wanted)
        return
    for installation in owners:
        yield from find_resources(connection, installation, [wanted.place]).values()


def _is_at(known: KnownResource, installation: Installation, host: str) -> bool:
    return not host or host in {installation.host, installation.account_name, urlsplit(known.url).netloc}

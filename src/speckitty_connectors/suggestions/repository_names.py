"""What git repositories are and were called, who else bears or bore those names, and how remotes spell them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen
from sqlalchemy import Column, ColumnElement, Connection, Table, and_, select

from ..apps.registration import urls_of
from ..credentials.tables import apps
from ..installations.tables import installations
from ..installations.types import Installation
from ..providers.manifest import Manifest
from ..providers.remotes import GitRemote
from ..resources.tables import resource_keys, resources
from ..signals.repository import VALUES_PER_QUERY, batches
from ..store.metadata import OPERATOR
from ..store.rows import is_under

FIRST_LISTING: Final = timedelta(days=1)
"""How long after the first resource of an installation was seen a name still counts as borne all along."""

Identity = tuple[str, str]
"""Kind and immutable id of a resource."""


@frozen(kw_only=True)
class NamedRepository:
    """A repository and its names.

    `since` is when it came by its name of today, in UTC; None where it has had it as long as we know it.
    """

    kind: str
    id: str
    key: str
    former: tuple[str, ...] = ()
    since: datetime | None = None


@frozen(kw_only=True)
class Bearers:
    """Who bears or bore names, in the whole workspace.

    Attributes:
        here: name in lower case → the repositories of the installation's host.
        elsewhere: the names, in lower case, that repositories of other hosts bear or bore.
    """

    here: Mapping[str, frozenset[Identity]]
    elsewhere: frozenset[str]


@frozen(kw_only=True)
class Addresses:
    """How the remotes of one host's repositories are spelled.

    Attributes:
        web: base URL of the host's pages.
        hosts: its names, as remotes write them.

    >>> sorted(Addresses(web="https://ghe.example/git", hosts=("ghe.example",)).of("Octo-Org/Hello"))
    ['https://ghe.example/git/octo-org/hello', 'ssh://ghe.example/octo-org/hello']
    """

    web: str
    hosts: tuple[str, ...]

    @classmethod
    def at(cls, connection: Connection, installation: Installation, manifest: Manifest) -> Addresses:
        """Return how the remotes of an installation's host are spelled."""
        base_url = connection.scalar(
            select(apps.c.base_url).where(
                apps.c.workspace_id.in_([installation.workspace, OPERATOR]), apps.c.id == installation.app_id
            )
        )
        web = urls_of(manifest, installation.host, base_url or f"https://{installation.host}").web
        aliases = manifest.hosts.aliases if installation.host == manifest.hosts.default else ()
        return cls(web=web, hosts=(urlsplit(web).hostname or installation.host, *aliases))

    def of(self, key: str) -> frozenset[str]:
        """Return how signals hold the remotes of the repository of that key."""
        site = urlsplit(self.web)
        root = site.path.strip("/")
        own_port = site.port if site.port not in {None, 80 if site.scheme == "http" else 443} else None
        path = f"{root}/{key}" if root else key
        remotes = [GitRemote(host=self.hosts[0], path=path, port=own_port, over_http=True)]
        remotes += [GitRemote(host=host, path=key) for host in self.hosts]
        if not root:
            remotes += [GitRemote(host=host, path=key, over_http=True) for host in self.hosts[1:]]
        return frozenset(remote.url.lower() for remote in remotes)


def load_names(
    connection: Connection, installation: Installation, called: Mapping[Identity, tuple[str, datetime]]
) -> list[NamedRepository]:
    """Return repositories with their names.

    `called` says what each is called today, and since when if that is news; an empty name is looked up.
    """
    known = _known(connection, installation, called)
    names = _names(connection, installation.workspace, [row_id for row_id, _ in known.values()])
    beginning = _beginning(connection, installation)
    return [
        _named(identity, called[identity], known.get(identity), names, beginning) for identity in sorted(called)
    ]


def load_bearers(connection: Connection, installation: Installation, names: Iterable[str]) -> Bearers:
    """Return who bears or bore names, however they are spelled."""
    here: dict[str, set[Identity]] = defaultdict(set)
    elsewhere: set[str] = set()
    for batch in batches(sorted({name.lower() for name in names}), VALUES_PER_QUERY):
        rows = connection.execute(
            select(
                resource_keys.c.folded_key,
                resources.c.kind,
                resources.c.external_id,
                installations.c.provider,
                installations.c.host,
            )
            .join(resources, _same(resource_keys.c.workspace_id, resource_keys.c.resource_id, resources))
            .join(installations, _same(resources.c.workspace_id, resources.c.installation_id, installations))
            .where(resource_keys.c.workspace_id == installation.workspace, resource_keys.c.folded_key.in_(batch))
        )
        for row in rows:
            if (row.provider, row.host) == (installation.provider, installation.host):
                here[row.folded_key].add((row.kind, row.external_id))
            else:
                elsewhere.add(row.folded_key)
    return Bearers(
        here={name: frozenset(bearers) for name, bearers in here.items()}, elsewhere=frozenset(elsewhere)
    )


def _known(
    connection: Connection, installation: Installation, identities: Collection[Identity]
) -> Mapping[Identity, tuple[str, str]]:
    """Return our id of each repository that the inventory knows, and its key there."""
    known: dict[Identity, tuple[str, str]] = {}
    for batch in batches(sorted({external_id for _, external_id in identities}), VALUES_PER_QUERY):
        rows = connection.execute(
            select(resources.c.id, resources.c.kind, resources.c.external_id, resources.c.key).where(
                is_under(resources, installation),
                resources.c.kind.in_({kind for kind, _ in identities}),
                resources.c.external_id.in_(batch),
            )
        )
        known |= {(row.kind, row.external_id): (row.id, row.key) for row in rows}
    return known


def _names(
    connection: Connection, workspace: str, resource_ids: Iterable[str]
) -> Mapping[str, Mapping[str, datetime]]:
    """Return the history of names: our id → each name, and when it was first seen."""
    names: dict[str, dict[str, datetime]] = defaultdict(dict)
    for batch in batches(resource_ids, VALUES_PER_QUERY):
        rows = connection.execute(
            select(resource_keys.c.resource_id, resource_keys.c.key, resource_keys.c.first_seen).where(
                resource_keys.c.workspace_id == workspace, resource_keys.c.resource_id.in_(batch)
            )
        )
        for row in rows:
            names[row.resource_id][row.key] = row.first_seen
    return names


def _beginning(connection: Connection, installation: Installation) -> datetime | None:
    """Return when the first of an installation's resources was seen; ids sort by the time they were made."""
    moment: datetime | None = connection.scalar(
        select(resources.c.first_seen).where(is_under(resources, installation)).order_by(resources.c.id).limit(1)
    )
    return moment


def _named(
    identity: Identity,
    called: tuple[str, datetime],
    known: tuple[str, str] | None,
    names: Mapping[str, Mapping[str, datetime]],
    beginning: datetime | None,
) -> NamedRepository:
    row_id, stored_key = known or ("", "")
    key, seen_at = called[0] or stored_key, called[1]
    history = {name: moment for name, moment in names.get(row_id, {}).items() if name}
    own = [moment for name, moment in history.items() if name.lower() == key.lower()]
    since = min(own, default=seen_at)
    all_along = beginning is not None and since <= beginning + FIRST_LISTING
    return NamedRepository(
        kind=identity[0],
        id=identity[1],
        key=key,
        former=tuple(sorted(name for name in history if name.lower() != key.lower())),
        since=None if all_along else since,
    )


def _same(workspace: Column[str], reference: Column[str], table: Table) -> ColumnElement[bool]:
    return and_(table.c.workspace_id == workspace, table.c.id == reference)

"""Looks an inventory over for suggestions, page by page, so that memory doesn't grow with it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from attrs import frozen
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..installations.types import Installation
from ..loading.binding import Provider
from ..loading.registry import Registry
from ..mappings.tables import resource_mappings
from ..providers.manifest import Capability
from ..providers.suggestions import Suggestion, SuggestionRequest
from ..resources.repository import list_page
from ..resources.types import KnownResource
from ..signals import repository as signals
from ..signals.observations import SignalKind
from ..signals.repository import Sighting
from ..store.engine import Store
from . import repository
from .findings import CHANGED, MAPPED, PROJECT, RAISED, as_signals, by_resource, findings_of, keep
from .matching import find_matches
from .repository_names import Addresses, Identity
from .types import Finding, Source

RESOURCES_PER_PAGE: Final = 100
"""Resources that are looked at, and written, in one transaction."""

logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class RefreshResult:
    """What a look at an inventory found.

    Attributes:
        resources: how many resources were looked at: those that are there and not mapped.
        raised: how many suggestions are new.
        changed: how many that were known have other evidence now, or are open again.
        mapped: how many became mappings at once, because the workspace wants that.
        closed: how many open ones had no evidence any more.
        plugin_error: why the plugin's own suggestions are missing from some page, or empty.

    >>> RefreshResult(resources=3, raised=1, changed=0, mapped=0, closed=0).plugin_error
    ''
    """

    resources: int
    raised: int
    changed: int
    mapped: int
    closed: int
    plugin_error: str = ""


class Refresh:
    """One look at the inventory of an installation."""

    def __init__(self, store: Store, provider: Provider, installation: Installation) -> None:
        self._store = store
        self._provider = provider
        self._installation = installation
        self._git = {kind.name for kind in provider.manifest.resource_kinds if kind.git}
        self._outcomes: Counter[str] = Counter()
        self._plugin_error = ""

    @classmethod
    def of(cls, store: Store, registry: Registry, key: InstallationKey) -> Refresh:
        """Return a look at an installation.

        Raises:
            NotFoundError: the workspace has no such installation.
            PluginUnavailableError: the plugin of its provider can't be used.
        """
        with store.reading() as connection:
            installation = installations.get(connection, key)
        return cls(store, registry.provider(installation.provider), installation)

    def run(self) -> RefreshResult:
        """Look at every page, then close what wasn't found any more."""
        began, seen, after = self._store.now(), 0, ""
        while page := self._page(after):
            seen, after = seen + self._keep(page), page[-1].id
        with self._store.transaction() as connection:
            closed = repository.close_unfound(connection, self._installation, since=began)
        return RefreshResult(
            resources=seen,
            raised=self._outcomes[RAISED],
            changed=self._outcomes[CHANGED],
            mapped=self._outcomes[MAPPED],
            closed=closed,
            plugin_error=self._plugin_error,
        )

    def _page(self, after: str) -> list[KnownResource]:
        with self._store.reading() as connection:
            return list_page(connection, self._installation, after=after, limit=RESOURCES_PER_PAGE)

    def _keep(self, page: Sequence[KnownResource]) -> int:
        """Keep what is found for a page; return how many of its resources were looked at."""
        with self._store.reading() as connection:
            looked_at = _unmapped(connection, self._installation.workspace, page)
            findings = self._findings(connection, looked_at)
        try:
            self._write(looked_at, findings)
        except IntegrityError:
            self._write(looked_at, findings)  # an event raised one of them meanwhile; now it is known
        return len(looked_at)

    def _write(self, looked_at: Mapping[Identity, KnownResource], findings: Sequence[Finding]) -> None:
        with self._store.transaction() as connection:
            kept = keep(
                connection,
                looked_at,
                findings,
                workspace=self._installation.workspace,
                source=Source.INVENTORY,
                now=self._store.now(),
            )
        self._outcomes.update(each.outcome for each in kept)

    def _findings(self, connection: Connection, looked_at: Mapping[Identity, KnownResource]) -> list[Finding]:
        repositories = {
            identity: (resource.key, resource.last_seen)
            for identity, resource in looked_at.items()
            if resource.kind in self._git
        }
        found = find_matches(connection, self._installation, self._provider.manifest, repositories)
        proposed = by_resource(self._ask(self._request(connection, looked_at, found.sightings)))
        return [
            finding
            for identity in looked_at
            for finding in findings_of(
                identity,
                git=identity in repositories,
                matches=found.matches.get(identity, {}),
                proposed=proposed.get(identity, ()),
                plugin=self._provider.key,
            )
        ]

    def _request(
        self,
        connection: Connection,
        looked_at: Mapping[Identity, KnownResource],
        sightings: Iterable[Sighting],
    ) -> SuggestionRequest:
        """Return what the plugin is asked: resources, and of all signals those that name one of them."""
        keys = {resource.key.lower() for resource in looked_at.values() if resource.kind not in self._git}
        tickets = signals.find(
            connection, workspace=self._installation.workspace, kind=SignalKind.TICKET, values=keys
        )
        return SuggestionRequest(
            host=self._installation.host,
            web=Addresses.at(connection, self._installation, self._provider.manifest).web,
            resources=tuple(resource.as_listed() for resource in looked_at.values()),
            signals=as_signals([*sightings, *tickets]),
        )

    def _ask(self, request: SuggestionRequest) -> list[Suggestion]:
        """Return what the plugin suggests for the projects and resources that it was asked about, and no others."""
        if not request.signals or not self._provider.supports(Capability.SUGGEST_MAPPINGS):
            return []
        projects = {signal.project_id for signal in request.signals}
        try:
            suggested = list(self._provider.suggest_mappings(request))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's fault must not hide what core has found
            self._plugin_error = f"{self._provider.label} raised {type(error).__name__}"
            logger.warning("no suggestions of the plugin: %s", self._plugin_error)
            return []
        asked = {(resource.kind, resource.id) for resource in request.resources}
        return [
            suggestion
            for suggestion in suggested
            if (suggestion.resource_kind, suggestion.resource_id) in asked
            and suggestion.target.kind == PROJECT
            and suggestion.target.id in projects
        ]


def _unmapped(
    connection: Connection, workspace: str, page: Sequence[KnownResource]
) -> dict[Identity, KnownResource]:
    """Return those of a page's resources that nothing is mapped for."""
    ids = [resource.id for resource in page]
    mapped = set(
        connection.scalars(
            select(resource_mappings.c.resource_id).where(
                resource_mappings.c.workspace_id == workspace, resource_mappings.c.resource_id.in_(ids)
            )
        )
    )
    return {(resource.kind, resource.external_id): resource for resource in page if resource.id not in mapped}

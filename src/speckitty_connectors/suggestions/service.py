"""Suggestions: which resource probably belongs to which project, and what people say to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Connection

from ..errors import ConflictError
from ..identifiers import InstallationKey
from ..links import repository as links
from ..links.types import LinkStatus
from ..loading.registry import Registry
from ..mappings.service import Mappings
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..store.audit import record
from ..store.engine import Store
from . import repository
from .decisions import adopt, decide, dismiss, remove_mapping
from .refresh import Refresh, RefreshResult
from .types import ResourceSuggestion, SuggestionState

MaySee = Callable[[str, Sequence[ResourceReference]], Collection[ResourceReference]]
"""Asked with an installation's id and some of its resources, returns those that the member may see there."""


class Suggestions:
    """Finds suggestions, and keeps what people decide; each decision is audited."""

    def __init__(self, store: Store, registry: Registry, mappings: Mappings) -> None:
        self._store = store
        self._registry = registry
        self._mappings = mappings

    def refresh(self, *, workspace: str, installation_id: str) -> RefreshResult:
        """Look an installation's inventory over, with the workspace's signals and the plugin's help.

        Resources that are mapped already are left out. Pages are written one by one; after an error, begin again.

        Raises:
            NotFoundError: the workspace has no such installation.
            PluginUnavailableError: the plugin of its provider can't be used.
        """
        key = InstallationKey(workspace=workspace, id=installation_id)
        return Refresh.of(self._store, self._registry, key).run()

    def list(
        self,
        *,
        workspace: str,
        installation_id: str | None = None,
        state: SuggestionState | None = SuggestionState.OPEN,
        member: str | None = None,
        may_see: MaySee | None = None,
        limit: int = 100,
    ) -> tuple[ResourceSuggestion, ...]:
        """Return suggestions, the surest first, then by the resource's key; without a state, of all states.

        Under an installation where a `member` has a link, they are shown what is public, and of private resources
        those that `may_see` lets through; without a link, all of the workspace's. It may leave fewer than `limit`.
        """
        with self._store.reading() as connection:
            linked = _linked(connection, workspace, member) if member else frozenset[str]()
            found = repository.list_all(
                connection,
                workspace=workspace,
                installation_id=installation_id,
                state=state,
                public_only=() if may_see else linked,
                limit=limit,
            )
        return tuple(_visible(found, linked, may_see)) if may_see else tuple(found)

    def confirm(self, *, workspace: str, suggestion_id: str, actor: str) -> ResourceSuggestion:
        """Map the resource to the suggested target, with the origin ``suggested``.

        Raises:
            NotFoundError: the workspace has no such suggestion.
        """
        with self._store.transaction() as connection:
            suggestion = repository.get(connection, workspace=workspace, suggestion_id=suggestion_id)
            if suggestion.state is SuggestionState.CONFIRMED:
                return suggestion
            return adopt(connection, suggestion, actor=actor, now=self._store.now())

    def change(self, *, workspace: str, suggestion_id: str, target: Target, actor: str) -> ResourceSuggestion:
        """Map the resource to another target than the suggested one, which is dismissed thereby.

        Raises:
            NotFoundError: the workspace has no such suggestion.
            ConfigurationError: the host has no targets of this kind.
            ConflictError: it has been confirmed.
        """
        self._mappings.check_target(target)
        with self._store.transaction() as connection:
            suggestion = repository.get(connection, workspace=workspace, suggestion_id=suggestion_id)
            _check_not_confirmed(suggestion)
            return adopt(connection, suggestion, actor=actor, now=self._store.now(), target=target)

    def dismiss(self, *, workspace: str, suggestion_id: str, actor: str, reason: str = "") -> ResourceSuggestion:
        """Remember that it is wrong: it doesn't come back, and no event is routed by it, without new evidence.

        Raises:
            NotFoundError: the workspace has no such suggestion.
            ConflictError: it has been confirmed.
        """
        with self._store.transaction() as connection:
            suggestion = repository.get(connection, workspace=workspace, suggestion_id=suggestion_id)
            _check_not_confirmed(suggestion)
            if suggestion.state is SuggestionState.DISMISSED:
                return suggestion
            return dismiss(connection, suggestion, actor=actor, now=self._store.now(), reason=reason)

    def undo(self, *, workspace: str, suggestion_id: str, actor: str) -> ResourceSuggestion:
        """Take back what was decided: it is open again, and the mapping that was made of it is removed.

        Raises:
            NotFoundError: the workspace has no such suggestion.
        """
        with self._store.transaction() as connection:
            suggestion = repository.get(connection, workspace=workspace, suggestion_id=suggestion_id)
            if suggestion.state is SuggestionState.OPEN:
                return suggestion
            now = self._store.now()
            if suggestion.mapping_id:
                remove_mapping(connection, suggestion, actor=actor, now=now)
            return decide(connection, suggestion, state=SuggestionState.OPEN, verb="undone", actor=actor, now=now)

    def is_automatic(self, *, workspace: str) -> bool:
        """Return whether suggestions of high confidence become mappings by themselves in a workspace."""
        with self._store.reading() as connection:
            return repository.is_automatic(connection, workspace=workspace)

    def set_automatic(self, *, workspace: str, automatic: bool, actor: str) -> None:
        """Say whether they do. The mappings have the origin ``automatic``; those that are there stay."""
        now = self._store.now()
        with self._store.transaction() as connection:
            before = repository.is_automatic(connection, workspace=workspace)
            repository.set_automatic(connection, workspace=workspace, automatic=automatic, actor=actor, at=now)
            record(
                connection,
                workspace=workspace,
                at=now,
                actor=actor,
                verb="suggestions.set_automatic",
                entity="workspace",
                entity_id=workspace,
                before={"automatic": before},
                after={"automatic": automatic},
            )


def _linked(connection: Connection, workspace: str, member: str) -> frozenset[str]:
    """Return the installations under which a member has a link that can be used."""
    found = links.list_all(connection, workspace=workspace, member=member)
    return frozenset(link.installation_id for link in found if link.status is LinkStatus.ACTIVE)


def _visible(
    found: Sequence[ResourceSuggestion], linked: Collection[str], may_see: MaySee
) -> list[ResourceSuggestion]:
    """Return what a member may see, asking once for each installation where they have a link."""
    shown = {
        installation_id: frozenset(
            may_see(
                installation_id, [_reference(each) for each in found if each.installation_id == installation_id]
            )
        )
        for installation_id in sorted({each.installation_id for each in found} & set(linked))
    }
    return [
        each
        for each in found
        if each.installation_id not in shown or _reference(each) in shown[each.installation_id]
    ]


def _reference(suggestion: ResourceSuggestion) -> ResourceReference:
    return ResourceReference(
        kind=suggestion.resource_kind, id=suggestion.resource_external_id, key=suggestion.resource_key
    )


def _check_not_confirmed(suggestion: ResourceSuggestion) -> None:
    if suggestion.state is SuggestionState.CONFIRMED:
        raise ConflictError(
            "the suggestion has been confirmed",
            subject=f"suggestion {suggestion.id}, mapping {suggestion.mapping_id}",
            remedy="undo that first",
        )

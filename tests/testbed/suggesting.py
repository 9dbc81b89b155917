"""A workspace with an inventory, projects that report, and the services of layer 3 on one store."""

from __future__ import annotations

from attrs import frozen

from speckitty_connectors import Resource, Signal, Suggestion
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.plugin import SuggestionRequest, hookimpl
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store.engine import Store
from speckitty_connectors.suggestions.decisions import turn_down
from speckitty_connectors.suggestions.refresh import RefreshResult
from speckitty_connectors.suggestions.service import Suggestions
from speckitty_connectors.suggestions.types import ResourceSuggestion, SuggestionState

from .layers import MOMENT, add_installation, add_resources


class Suggesting(FakeProvider):
    """The fake provider; what it suggests is up to the test, and what it was asked is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[SuggestionRequest] = []
        self.answers: tuple[Suggestion, ...] = ()
        self.error: BaseException | None = None

    @hookimpl
    def suggest_mappings(self, request: SuggestionRequest) -> list[Suggestion]:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return list(self.answers)


@frozen(kw_only=True)
class Bureau:
    """Where suggestions are made, in the workspace ``w1`` and its installation."""

    store: Store
    plugin: Suggesting
    installation: Installation
    mappings: Mappings
    signals: Signals
    suggestions: Suggestions

    @classmethod
    def on(cls, store: Store) -> Bureau:
        registry, plugin = Registry(entry_points=()), Suggesting()
        registry.register(plugin)
        mappings = Mappings(store, when_removed=turn_down)
        return cls(
            store=store,
            plugin=plugin,
            installation=add_installation(store),
            mappings=mappings,
            signals=Signals(store),
            suggestions=Suggestions(store, registry, mappings),
        )

    def board(self, external_id: str, key: str, **values: object) -> None:
        """Let the installation see a board, which is a git repository."""
        board = Resource(kind="board", id=external_id, key=key, **values)  # type: ignore[arg-type]  # the test's
        add_resources(self.store, self.installation, board)

    def report(self, project: str, **values: object) -> None:
        """Let a project report one signal, made when the installation was connected."""
        signal = Signal(project_id=project, **{"observed_at": MOMENT, **values})  # type: ignore[arg-type]  # the test's
        self.signals.report(workspace="w1", signals=[signal])

    def refresh(self) -> RefreshResult:
        """Look the inventory over."""
        return self.suggestions.refresh(workspace="w1", installation_id=self.installation.id)

    def all_in(self, state: SuggestionState | None = SuggestionState.OPEN) -> tuple[ResourceSuggestion, ...]:
        """Return the suggestions in a state."""
        return self.suggestions.list(workspace="w1", state=state)

    def only(self, state: SuggestionState | None = None) -> ResourceSuggestion:
        """Return the only suggestion there is."""
        (found,) = self.all_in(state)
        return found

    def told(self) -> list[tuple[str, str, str]]:
        """Return the open suggestions: resource, project and confidence."""
        return [(each.resource_key, each.target.id, each.confidence.value) for each in self.all_in()]

    def mapped(self) -> list[tuple[str, str, str, str]]:
        """Return the mappings: resource, project, origin and author."""
        return [
            (each.resource_key, each.target.id, each.origin.value, each.created_by)
            for each in self.mappings.list(workspace="w1")
        ]

"""The review queue as people work on it: look, map, assign, dismiss, snooze, and the rules that run before them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen
from sqlalchemy import Connection

from ...errors import ConflictError, NotFoundError
from ...identifiers import InstallationKey
from ...installations import repository as installations
from ...loading.registry import Registry
from ...mappings.service import Mappings
from ...mappings.types import Direction, MappingOrigin, ResourceMapping, Selector
from ...providers.suggestions import Target
from ...resources.repository import find_resource, note_references
from ...store.audit import record
from ...store.engine import Store
from ...store.metadata import OPERATOR
from ..types import Decision
from . import items as review_records
from .ignore_rules import IgnoreRules
from .items import ReviewItem, ReviewState
from .replay import Replay, replay


@frozen(kw_only=True)
class Mapped:
    """A review item that became a mapping.

    Attributes:
        mapping: the new mapping.
        replay: what became of the events that waited.
    """

    mapping: ResourceMapping
    replay: Replay


class ReviewQueue:
    """What waits for people, and what they do about it; each step is audited.

    Attributes:
        rules: the ignore rules, which run before people.

    Args:
        store: the database.
        registry: the plugins.
        mappings: layer 3.
    """

    def __init__(self, store: Store, registry: Registry, mappings: Mappings) -> None:
        self.rules = IgnoreRules(store)
        self._store = store
        self._registry = registry
        self._mappings = mappings

    def list(
        self,
        *,
        workspace: str = OPERATOR,
        state: ReviewState | None = ReviewState.OPEN,
        installation_id: str | None = None,
        limit: int = 100,
    ) -> tuple[ReviewItem, ...]:
        """Return the items in a state, or all for None, those that were seen last first.

        Without a workspace, what could not be placed in any. What was snoozed until now is open again.
        """
        with self._store.reading() as connection:
            found = review_records.list_items(
                connection,
                workspace=workspace,
                now=self._store.now(),
                state=state,
                installation_id=installation_id,
                limit=limit,
            )
        return tuple(found)

    def get(self, *, workspace: str, item_id: str) -> ReviewItem:
        """Return one item.

        Raises:
            NotFoundError: there is none of that id in this workspace.
        """
        with self._store.reading() as connection:
            return review_records.get(connection, workspace=workspace, item_id=item_id)

    def events(self, *, workspace: str, item_id: str, limit: int = 20) -> tuple[Decision, ...]:
        """Return the latest of the events that an item holds, the newest first.

        Raises:
            NotFoundError: there is no such item in this workspace.
        """
        with self._store.reading() as connection:
            review_records.get(connection, workspace=workspace, item_id=item_id)
            held = review_records.held_decisions(
                connection, workspace=workspace, item_id=item_id, limit=limit, newest_first=True
            )
        return tuple(held)

    def map(
        self,
        *,
        workspace: str,
        item_id: str,
        target: Target,
        actor: str,
        selector: Selector | None = None,
        direction: Direction = Direction.BOTH,
        origin: MappingOrigin = MappingOrigin.MANUAL,
    ) -> Mapped:
        """Map the item's resource, and replay what waited, in one transaction.

        Raises:
            NotFoundError: there is no such item in this workspace, or it is of no installation.
            ConflictError: it is about no resource, or the resource is mapped to this target already.
            ConfigurationError: the host has no targets of this kind.
        """
        with self._store.transaction() as connection:
            item = _locked(connection, workspace, item_id)
            self._note_resource(connection, item)
            mapping = self._mappings.create(
                within=connection,
                workspace=workspace,
                installation_id=item.installation_id,
                resource=item.subject,
                target=target,
                actor=actor,
                selector=selector,
                direction=direction,
                origin=origin,
            )
            replayed = self._replay(connection, item, actor, verb="mapped", reason=str(target))
        return Mapped(mapping=mapping, replay=replayed)

    def assign(self, *, workspace: str, item_id: str, target: Target, actor: str) -> Mapped:
        """Map the item's resource to one of its candidates, and replay what waited.

        Raises:
            NotFoundError: there is no such item, or the target isn't one of its candidates.
            ConflictError: see `map`.
        """
        item = self.get(workspace=workspace, item_id=item_id)
        if target not in {candidate.target for candidate in item.candidates}:
            shown = ", ".join(str(candidate.target) for candidate in item.candidates) or "none"
            raise NotFoundError(
                f"the target is no candidate of the review item; its candidates: {shown}",
                subject=f"review item {item_id}, target {target}",
                remedy="choose a candidate, or map the item to any target",
            )
        return self.map(
            workspace=workspace, item_id=item_id, target=target, actor=actor, origin=MappingOrigin.SUGGESTED
        )

    def replay(self, *, workspace: str, item_id: str, actor: str) -> Replay:
        """Decide anew what an item holds, after the resource was mapped, or listed, elsewhere.

        Raises:
            NotFoundError: there is no such item in this workspace, or it is of no installation.
            ConflictError: the installation takes no events at this moment.
        """
        with self._store.transaction() as connection:
            item = _locked(connection, workspace, item_id)
            return self._replay(connection, item, actor, verb="replayed")

    def dismiss(self, *, workspace: str, item_id: str, actor: str, reason: str) -> ReviewItem:
        """Say that nobody wants to see this: events like those that wait are ignored from now on.

        An event that waits for another reason opens the item again. What it holds is kept for that day.

        Raises:
            NotFoundError: there is no such item in this workspace.
        """
        return self._move(workspace, item_id, ReviewState.DISMISSED, actor, reason)

    def snooze(self, *, workspace: str, item_id: str, actor: str, until: datetime, reason: str = "") -> ReviewItem:
        """Hide an item until a moment; it goes on counting.

        Raises:
            NotFoundError: there is no such item in this workspace.
        """
        return self._move(workspace, item_id, ReviewState.SNOOZED, actor, reason, until=until)

    def reopen(self, *, workspace: str, item_id: str, actor: str, reason: str = "") -> ReviewItem:
        """Let a dismissed or snoozed item wait for a person again.

        Raises:
            NotFoundError: there is no such item in this workspace.
        """
        return self._move(workspace, item_id, ReviewState.OPEN, actor, reason)

    def forget_older(self, *, workspace: str, before: datetime, actor: str) -> int:
        """Delete the items that saw no event since then; return how many there were.

        What was dismissed is kept, so that it stays dismissed. Decisions and their explanations are kept.
        """
        with self._store.transaction() as connection:
            forgotten = review_records.forget(connection, workspace=workspace, before=before)
            if forgotten:
                self._record(connection, workspace, "", "forgotten", actor, after={"items": forgotten})
        return forgotten

    def _note_resource(self, connection: Connection, item: ReviewItem) -> None:
        """Note the resource that verified events named, where no listing has shown it yet."""
        if not item.installation_id or not item.subject.id or item.subject.kind in {"account", "installation"}:
            raise ConflictError(
                "the review item is about no resource that could be mapped",
                subject=f"review item {item.id}",
                remedy="connect the account it names, or dismiss the item",
            )
        key = InstallationKey.of(item)
        if find_resource(connection, key, item.subject.place) is None:
            note_references(connection, key, references=[item.subject], at=item.last_seen)

    def _replay(
        self, connection: Connection, item: ReviewItem, actor: str, *, verb: str, reason: str = ""
    ) -> Replay:
        manifest = self._registry.provider(item.provider).manifest
        replayed = replay(connection, item, manifest, now=self._store.now())
        self._record(connection, item.workspace, item.id, verb, actor, reason, after=replayed.audited())
        return replayed

    def _move(
        self,
        workspace: str,
        item_id: str,
        state: ReviewState,
        actor: str,
        reason: str,
        *,
        until: datetime | None = None,
    ) -> ReviewItem:
        with self._store.transaction() as connection:
            item = review_records.get(connection, workspace=workspace, item_id=item_id, lock=True)
            review_records.set_state(connection, item, state, reason=reason, until=until)
            verb = "reopened" if state is ReviewState.OPEN else state.value
            before, after = {"state": item.state}, {"state": state}
            self._record(connection, workspace, item_id, verb, actor, reason, before=before, after=after)
            return review_records.get(connection, workspace=workspace, item_id=item_id)

    def _record(
        self,
        connection: Connection,
        workspace: str,
        item_id: str,
        verb: str,
        actor: str,
        reason: str = "",
        **fields: Mapping[str, object],
    ) -> None:
        record(
            connection,
            workspace=workspace,
            at=self._store.now(),
            actor=actor,
            verb=f"review.{verb}",
            entity="review_item",
            entity_id=item_id,
            reason=reason,
            **fields,
        )


def _locked(connection: Connection, workspace: str, item_id: str) -> ReviewItem:
    """Lock an item behind its installation, in the order in which what happens at the provider locks the two.

    Raises:
        NotFoundError: there is no such item in this workspace, or its installation is gone.
    """
    item = review_records.get(connection, workspace=workspace, item_id=item_id)
    if item.installation_id:
        installations.get(connection, InstallationKey.of(item), lock=True)
    return review_records.get(connection, workspace=workspace, item_id=item_id, lock=True)

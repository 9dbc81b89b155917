"""The ignore rules of workspaces: made, tried on what waits, and removed."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection

from ..identifiers import new_id
from ..installations import repository as installations
from ..providers.codec import to_document
from ..providers.deliveries import Event
from ..store.audit import record
from ..store.engine import Store
from . import review_records
from .ignoring import IgnoreConditions, IgnoreRule, add_rule, get_rule, list_rules, remove_rule
from .review import ReviewItem

TRIED_ITEMS = 100
"""The items on which conditions are tried: those that were seen last, in whatever state."""


@frozen(kw_only=True)
class Trial:
    """What conditions would have ignored.

    Attributes:
        tried: how many items there were to try them on.
        matched: those whose latest event would have been ignored.
    """

    tried: int
    matched: tuple[ReviewItem, ...]


class IgnoreRules:
    """Keeps what a workspace doesn't want people to be asked about; each change is audited.

    Args:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, *, workspace: str, conditions: IgnoreConditions, actor: str, note: str = "") -> IgnoreRule:
        """Ignore, from now on, the events that meet all conditions and that no stage places."""
        rule = IgnoreRule(
            workspace=workspace,
            id=new_id(),
            conditions=conditions,
            note=note,
            created_by=actor,
            created_at=self._store.now(),
        )
        with self._store.transaction() as connection:
            add_rule(connection, rule)
            self._record(connection, rule, "added", actor)
        return rule

    def list(self, *, workspace: str) -> tuple[IgnoreRule, ...]:
        """Return the workspace's rules, oldest first."""
        with self._store.reading() as connection:
            return tuple(list_rules(connection, workspace=workspace))

    def remove(self, *, workspace: str, rule_id: str, actor: str) -> None:
        """Ask people again about what a rule ignored; what it has ignored stays ignored.

        Raises:
            NotFoundError: there is no such rule in this workspace.
        """
        with self._store.transaction() as connection:
            rule = get_rule(connection, workspace=workspace, rule_id=rule_id)
            remove_rule(connection, rule)
            self._record(connection, rule, "removed", actor)

    def test(self, *, workspace: str, conditions: IgnoreConditions) -> Trial:
        """Try conditions on the workspace's latest 100 items, by the latest event of each; change nothing."""
        with self._store.reading() as connection:
            items = review_records.list_items(
                connection, workspace=workspace, now=self._store.now(), state=None, limit=TRIED_ITEMS
            )
            matched = tuple(item for item in items if _would_ignore(connection, item, conditions))
        return Trial(tried=len(items), matched=matched)

    def _record(self, connection: Connection, rule: IgnoreRule, verb: str, actor: str) -> None:
        document = to_document(rule.conditions)
        record(
            connection,
            workspace=rule.workspace,
            at=self._store.now(),
            actor=actor,
            verb=f"ignore_rule.{verb}",
            entity="ignore_rule",
            entity_id=rule.id,
            reason=rule.note,
            before=document if verb == "removed" else None,
            after=document if verb == "added" else None,
        )


def _would_ignore(connection: Connection, item: ReviewItem, conditions: IgnoreConditions) -> bool:
    latest = review_records.held_decisions(
        connection, workspace=item.workspace, item_id=item.id, limit=1, newest_first=True
    )
    if not latest or not item.installation_id or not isinstance(latest[0].outcome, Event):
        return False
    installation = installations.get(connection, workspace=item.workspace, installation_id=item.installation_id)
    known = installations.find_resources(
        connection, workspace=item.workspace, installation_id=installation.id, places=[item.subject.place]
    )
    archived = any(resource.archived for resource in known)
    return conditions.meets(latest[0].outcome, item.subject, installation=installation, archived=archived)

"""Ignore rules: what a workspace doesn't want people to be asked about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from fnmatch import fnmatchcase

from attrs import fields, frozen
from sqlalchemy import Connection, RowMapping, delete, insert, select

from ...errors import NotFoundError
from ...identifiers import InstallationKey, new_id
from ...installations import repository as installations
from ...installations.types import Installation
from ...providers.codec import converter, to_document
from ...providers.deliveries import Event
from ...providers.resources import ResourceReference
from ...resources.repository import find_resource
from ...store.audit import record
from ...store.engine import Store
from ..tables import ignore_rules
from . import items as review_records
from .items import ReviewItem


@frozen(kw_only=True)
class IgnoreConditions:
    """What an event must meet to be ignored: everything that is given here, and at least one thing is.

    Texts are globs, case-sensitive. The resource is the most specific one that the event names.

    Attributes:
        provider: provider key.
        installation_id: our id of the installation.
        resource_kind: kind of the resource.
        key: key of the resource, as the event calls it: ``octo-org/archive-*``.
        event: event kind, alone or as ``kind.action``.
        actor: id or name of who did it: ``*[[]bot]``.
        forks: whether the event's branch lives in a fork.
        archived: whether the inventory says that the resource is archived.

    >>> from speckitty_connectors import Event, GitFacts, ResourceReference
    >>> forks = IgnoreConditions(event="pull_request", forks=True)
    >>> forks.meets(Event(kind="pull_request", git=GitFacts(from_fork=True)), ResourceReference(kind="", id=""))
    True
    >>> str(forks)
    'event pull_request, forks'
    """

    provider: str = ""
    installation_id: str = ""
    resource_kind: str = ""
    key: str = ""
    event: str = ""
    actor: str = ""
    forks: bool = False
    archived: bool = False

    def __attrs_post_init__(self) -> None:
        if not str(self):
            raise ValueError("an ignore rule needs at least one condition, or it would ignore everything")

    def __str__(self) -> str:
        """Return the conditions in words."""
        given = ((each.name.replace("_", " "), getattr(self, each.name)) for each in fields(type(self)))
        return ", ".join(name if value is True else f"{name} {value}" for name, value in given if value)

    def meets(
        self,
        event: Event,
        subject: ResourceReference,
        *,
        installation: Installation | None = None,
        archived: bool = False,
    ) -> bool:
        """Return whether an event meets everything that is given."""
        provider, installation_id = (installation.provider, installation.id) if installation else ("", "")
        actors = (event.actor.id, event.actor.name) if event.actor else ()
        texts = (
            (self.provider, (provider,)),
            (self.installation_id, (installation_id,)),
            (self.resource_kind, (subject.kind,)),
            (self.key, (subject.key,)),
            (self.event, (event.kind, f"{event.kind}.{event.action}")),
            (self.actor, actors),
        )
        facts = (
            not self.forks or (event.git is not None and event.git.from_fork),
            not self.archived or archived,
        )
        return all(facts) and all(
            not pattern or any(fnmatchcase(text, pattern) for text in found) for pattern, found in texts
        )


@frozen(kw_only=True)
class IgnoreRule:
    """A rule of a workspace, with its author.

    Attributes:
        workspace: whose rule it is.
        id: its id.
        conditions: what it ignores.
        note: why, for a person.
        created_by: who made it, as the audit names them.
        created_at: when, in UTC.
    """

    workspace: str
    id: str
    conditions: IgnoreConditions
    note: str
    created_by: str
    created_at: datetime


def add_rule(connection: Connection, rule: IgnoreRule) -> None:
    """Write a new rule."""
    connection.execute(
        insert(ignore_rules).values(
            workspace_id=rule.workspace,
            id=rule.id,
            conditions=to_document(rule.conditions),
            note=rule.note,
            created_by=rule.created_by,
            created_at=rule.created_at,
        )
    )


def list_rules(connection: Connection, workspaces: Collection[str]) -> dict[str, list[IgnoreRule]]:
    """Return the rules of workspaces, the oldest first."""
    found: dict[str, list[IgnoreRule]] = defaultdict(list)
    if workspaces:
        query = select(ignore_rules).where(ignore_rules.c.workspace_id.in_(workspaces)).order_by(ignore_rules.c.id)
        for row in connection.execute(query).mappings():
            found[row["workspace_id"]].append(_rule(row))
    return found


def get_rule(connection: Connection, *, workspace: str, rule_id: str) -> IgnoreRule:
    """Return the rule of that id.

    Raises:
        NotFoundError: there is none in this workspace.
    """
    for rule in list_rules(connection, [workspace])[workspace]:
        if rule.id == rule_id:
            return rule
    raise NotFoundError(
        "there is no such ignore rule in this workspace",
        subject=f"ignore rule {rule_id}",
        remedy="list the workspace's ignore rules and use one of their ids",
    )


def remove_rule(connection: Connection, rule: IgnoreRule) -> None:
    """Delete a rule."""
    connection.execute(
        delete(ignore_rules).where(ignore_rules.c.workspace_id == rule.workspace, ignore_rules.c.id == rule.id)
    )


def _rule(row: RowMapping) -> IgnoreRule:
    return IgnoreRule(
        workspace=row["workspace_id"],
        id=row["id"],
        conditions=converter.structure(row["conditions"], IgnoreConditions),
        note=row["note"],
        created_by=row["created_by"],
        created_at=row["created_at"],
    )


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
            return tuple(list_rules(connection, [workspace])[workspace])

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
    installation = installations.get(connection, InstallationKey.of(item))
    known = find_resource(connection, installation, item.subject.place)
    archived = known is not None and known.archived
    return conditions.meets(latest[0].outcome, item.subject, installation=installation, archived=archived)

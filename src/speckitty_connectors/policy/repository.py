"""Reads and writes the policies of scopes, field by field; every function is bound to one workspace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    literal,
    select,
    tuple_,
    union_all,
    update,
)

from ..identifiers import InstallationKey
from ..loading.registry import Registry
from ..loading.statuses import PluginUnavailableError
from ..mappings.tables import resource_mappings
from ..store.metadata import upsert
from ..store.rows import is_under
from ..suggestions.findings import PROJECT
from .resolution import LoadedPolicies
from .tables import installation_policies, project_policies, workspace_policies
from .types import EffectivePolicy, Level, PolicyScope, Provenance, ScopedPolicy, Statement

TABLES: Mapping[Level, Table] = {
    Level.WORKSPACE: workspace_policies,
    Level.INSTALLATION: installation_policies,
    Level.PROJECT: project_policies,
}
"""Where the policies of each level are."""


def find(
    connection: Connection,
    *,
    workspace: str,
    provider: str,
    installation_ids: Collection[str],
    project_ids: Collection[str] | None = None,
) -> LoadedPolicies:
    """Return the policies for a provider of a workspace, of installations, and of projects.

    Without `project_ids` those of every project that sets something.
    """
    projects = () if project_ids is None else (project_policies.c.project_id.in_(project_ids),)
    query = union_all(
        _statements(workspace_policies, workspace, workspace_policies.c.provider == provider),
        _statements(
            installation_policies, workspace, installation_policies.c.installation_id.in_(installation_ids)
        ),
        _statements(project_policies, workspace, project_policies.c.provider == provider, *projects),
    )
    return _loaded(connection.execute(query).mappings(), workspace, provider)


def _loaded(rows: Iterable[RowMapping], workspace: str, provider: str) -> LoadedPolicies:
    scoped: dict[PolicyScope, dict[str, Statement]] = defaultdict(dict)
    for row in rows:
        scope = PolicyScope(
            workspace=workspace,
            provider=provider,
            installation_id=row["installation_id"],
            project_id=row["project_id"],
        )
        scoped[scope][row["field"]] = _statement(scope.level, row)
    return LoadedPolicies(scoped=scoped)


def find_scopes(connection: Connection, scopes: Collection[PolicyScope]) -> LoadedPolicies:
    """Return the policies of these scopes, of any workspaces and providers; one statement, or none for no scope."""
    wanted: dict[Level, dict[tuple[str, ...], PolicyScope]] = defaultdict(dict)
    for scope in scopes:
        wanted[scope.level][tuple(_key(scope).values())] = scope
    if not wanted:
        return LoadedPolicies()
    scoped: dict[PolicyScope, dict[str, Statement]] = defaultdict(dict)
    for row in connection.execute(union_all(*(_set_in(level, keys) for level, keys in wanted.items()))).mappings():
        key = (row["workspace_id"], row["installation_id"] or row["provider"], row["project_id"])
        scope = wanted[level := Level(row["level"])][key if level is Level.PROJECT else key[:2]]
        scoped[scope][row["field"]] = _statement(level, row)
    return LoadedPolicies(scoped=scoped)


def get(connection: Connection, scope: PolicyScope) -> ScopedPolicy:
    """Return the policy of one scope, without what it inherits."""
    table = TABLES[scope.level]
    rows = connection.execute(select(table).where(_is(scope)).order_by(table.c.field)).mappings()
    return ScopedPolicy(scope=scope, statements={row["field"]: _statement(scope.level, row) for row in rows})


def put(connection: Connection, scope: PolicyScope, *, values: Mapping[str, Any], actor: str, at: datetime) -> None:
    """Set fields; their locks stay."""
    rows = [{"field": name, "value": value, "set_by": actor, "set_at": at} for name, value in values.items()]
    _write(connection, scope, rows, changed=("value", "set_by", "set_at"))


def lock(connection: Connection, scope: PolicyScope, *, fields: Iterable[str], actor: str, at: datetime) -> None:
    """Lock fields; their values stay."""
    rows = [{"field": name, "locked_by": actor, "locked_at": at} for name in fields]
    _write(connection, scope, rows, changed=("locked_by", "locked_at"))


def clear(connection: Connection, scope: PolicyScope, fields: Collection[str]) -> None:
    """Let fields inherit again; their locks stay."""
    _empty(connection, scope, fields, value=None, set_by="", set_at=None)


def unlock(connection: Connection, scope: PolicyScope, fields: Collection[str]) -> None:
    """Unlock fields; their values stay."""
    _empty(connection, scope, fields, locked_by="", locked_at=None)


def mapped_projects(connection: Connection, installation: InstallationKey) -> list[str]:
    """Return the projects that resources of an installation are mapped to, in alphabetical order."""
    return list(
        connection.scalars(
            select(resource_mappings.c.target_id)
            .where(is_under(resource_mappings, installation), resource_mappings.c.target_kind == PROJECT)
            .distinct()
            .order_by(resource_mappings.c.target_id)
        )
    )


def _statements(table: Table, workspace: str, *conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the query of a workspace's statements in a table, with the columns that all levels share."""
    return _select(table).where(table.c.workspace_id == workspace, *conditions)


def _select(table: Table) -> Select[Any]:
    scope = (table.c.get(name, literal("")).label(name) for name in ("provider", "installation_id", "project_id"))
    shared = (table.c[name] for name in ("field", "value", "set_by", "set_at", "locked_by", "locked_at"))
    return select(*scope, *shared)


def _set_in(level: Level, keys: Mapping[tuple[str, ...], PolicyScope]) -> Select[Any]:
    """Return the query of the policies of some scopes of one level."""
    table = TABLES[level]
    columns = [table.c[name] for name in _key(next(iter(keys.values())))]
    found = _select(table).add_columns(table.c.workspace_id, literal(level.value).label("level"))
    return found.where(tuple_(*columns).in_(sorted(keys)))


def _key(scope: PolicyScope) -> dict[str, str]:
    """Return the columns by which a level's table finds a scope."""
    key = {"workspace_id": scope.workspace}
    if scope.level is Level.INSTALLATION:
        return {**key, "installation_id": scope.installation_id}
    project = {"project_id": scope.project_id} if scope.level is Level.PROJECT else {}
    return {**key, "provider": scope.provider, **project}


def _is(scope: PolicyScope) -> ColumnElement[bool]:
    table = TABLES[scope.level]
    return and_(*(table.c[name] == value for name, value in _key(scope).items()))


def _write(
    connection: Connection, scope: PolicyScope, given: Iterable[Mapping[str, Any]], *, changed: Collection[str]
) -> None:
    """Write what is new, and of what is there only the changed columns."""
    empty = {**_key(scope), "value": None, "set_by": "", "set_at": None, "locked_by": "", "locked_at": None}
    rows = [{**empty, **each} for each in given]
    if not rows:
        return
    statement = upsert(connection, TABLES[scope.level])
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[*_key(scope), "field"],
            set_={name: statement.excluded[name] for name in changed},
        ),
        sorted(rows, key=lambda row: str(row["field"])),
    )


def _empty(connection: Connection, scope: PolicyScope, fields: Collection[str], **emptied: object) -> None:
    table = TABLES[scope.level]
    connection.execute(update(table).where(_is(scope), table.c.field.in_(fields)).values(emptied))
    connection.execute(delete(table).where(_is(scope), table.c.set_at.is_(None), table.c.locked_at.is_(None)))


def _statement(level: Level, row: RowMapping) -> Statement:
    """Return what is set and locked by a row."""
    set_at, locked_at = row["set_at"], row["locked_at"]
    return Statement(
        value=row["value"],
        source=Provenance(level=level, actor=row["set_by"], at=set_at) if set_at else None,
        lock=Provenance(level=level, actor=row["locked_by"], at=locked_at) if locked_at else None,
    )


def effective(
    connection: Connection,
    registry: Registry,
    installation: InstallationKey,
    *,
    provider: str,
    project_id: str = "",
) -> EffectivePolicy:
    """Return the policy of a project under an installation; without a project, the installation's default.

    While the provider's plugin can't be used, its own fields are passed over.
    """
    of_project = {
        "workspace": installation.workspace,
        "provider": provider,
        "installation": installation.id,
        "project": project_id,
    }
    rows = connection.execute(_OF_PROJECT, of_project).mappings()
    policies = _loaded(rows, installation.workspace, provider)
    try:
        own = registry.provider(provider).manifest.policy
    except PluginUnavailableError:
        own = None
    return policies.effective(own, installation, provider=provider, project_id=project_id)


_OF_PROJECT = union_all(
    *(
        _select(table).where(table.c.workspace_id == bindparam("workspace"), *conditions)
        for table, conditions in (
            (workspace_policies, [workspace_policies.c.provider == bindparam("provider")]),
            (installation_policies, [installation_policies.c.installation_id == bindparam("installation")]),
            (
                project_policies,
                [
                    project_policies.c.provider == bindparam("provider"),
                    project_policies.c.project_id == bindparam("project"),
                ],
            ),
        )
    )
)
"""The policies that hold for a project under an installation; it is asked before each event is handed over."""

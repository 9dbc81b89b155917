"""Layer 4: sets and clears a project's exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, Row, delete, insert, select, update

from ..errors import ConfigurationError
from ..identifiers import new_id
from ..store.audit import record
from ..store.engine import Store
from .tables import policy_overrides
from .types import PolicyOverride


class Overrides:
    """Sets, reads and clears policy overrides; each change is audited.

    Args:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, *, workspace: str, project_id: str, provider: str) -> PolicyOverride | None:
        """Return the project's exceptions for a provider, or None where it inherits everything."""
        with self._store.reading() as connection:
            row = _find(connection, workspace, project_id, provider)
        return None if row is None else _override(row)

    def set(
        self, *, workspace: str, project_id: str, provider: str, fields: Mapping[str, object | None], actor: str
    ) -> PolicyOverride:
        """Replace the project's exceptions for a provider.

        Raises:
            ConfigurationError: a value can't be stored as JSON.
        """
        try:
            kept = json.loads(json.dumps(dict(fields), allow_nan=False))
        except (TypeError, ValueError):
            raise ConfigurationError(
                "a policy field's value can't be stored as JSON",
                subject=f"project {project_id}, provider {provider}",
                remedy="use text, numbers, booleans, lists, objects or null",
            ) from None
        with self._store.transaction() as connection:
            return self._write(connection, workspace, project_id, provider, kept, actor)

    def clear(self, *, workspace: str, project_id: str, provider: str, actor: str) -> None:
        """Let the project inherit everything again; nothing happens where it does already."""
        with self._store.transaction() as connection:
            row = _find(connection, workspace, project_id, provider)
            if row is None:
                return
            connection.execute(
                delete(policy_overrides).where(
                    policy_overrides.c.workspace_id == workspace, policy_overrides.c.id == row.id
                )
            )
            self._record(connection, _override(row), row.id, "cleared", actor, row.fields, {})

    def _write(
        self,
        connection: Connection,
        workspace: str,
        project_id: str,
        provider: str,
        fields: Mapping[str, object],
        actor: str,
    ) -> PolicyOverride:
        now = self._store.now()
        row = _find(connection, workspace, project_id, provider)
        override_id = row.id if row else new_id()
        values = {"fields": dict(fields), "updated_by": actor, "updated_at": now}
        if row is None:
            identity = {"workspace_id": workspace, "project_id": project_id, "provider": provider}
            connection.execute(insert(policy_overrides).values(id=override_id, **identity, **values))
        else:
            connection.execute(
                update(policy_overrides)
                .where(policy_overrides.c.workspace_id == workspace, policy_overrides.c.id == override_id)
                .values(values)
            )
        override = PolicyOverride(
            workspace=workspace,
            project_id=project_id,
            provider=provider,
            fields=fields,
            updated_by=actor,
            updated_at=now,
        )
        self._record(connection, override, override_id, "set", actor, row.fields if row else {}, fields)
        return override

    def _record(
        self,
        connection: Connection,
        override: PolicyOverride,
        override_id: str,
        verb: str,
        actor: str,
        before: Mapping[str, object],
        after: Mapping[str, object],
    ) -> None:
        record(
            connection,
            workspace=override.workspace,
            at=self._store.now(),
            actor=actor,
            verb=f"override.{verb}",
            entity="override",
            entity_id=override_id,
            reason=f"project {override.project_id}, provider {override.provider}",
            before={"fields": dict(before)},
            after={"fields": dict(after)},
        )


def _find(connection: Connection, workspace: str, project_id: str, provider: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(
        select(policy_overrides).where(
            policy_overrides.c.workspace_id == workspace,
            policy_overrides.c.project_id == project_id,
            policy_overrides.c.provider == provider,
        )
    ).one_or_none()


def _override(row: Row[tuple[object, ...]]) -> PolicyOverride:
    return PolicyOverride(
        workspace=row.workspace_id,
        project_id=row.project_id,
        provider=row.provider,
        fields=row.fields,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
    )

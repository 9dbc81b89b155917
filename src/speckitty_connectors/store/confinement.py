"""PostgreSQL's row-level security: the database, too, limits what a workspace's request can see.

A confined transaction runs as a role that owns nothing, and names its workspace; the policies of
`store.row_level_security` show that role only the rows of the named workspace. All other transactions run as
the operator: workers, the inbox and upkeep serve every workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sqlalchemy import Connection, text

from ..errors import ConfigurationError

WORKSPACE_SETTING: Final = "connectors.workspace"
"""The setting of a transaction that names its workspace; PostgreSQL accepts any setting with a prefix."""

CONFINED_TO: Final = "connectors_confined_to"
"""The execution option of a confined connection: the role that it runs as."""

REMEDY: Final = "run what 'speckitty-connectors db row-level-security' prints, as the owner of the tables"

_workspace: ContextVar[str | None] = ContextVar("workspace", default=None)

_ENTER = text("SELECT set_config('role', :role, true), set_config(:setting, :workspace, true)")
_BECOME = text("SELECT set_config('role', :role, true)")

_ROLE = text(
    "SELECT rolsuper OR rolbypassrls AS is_free, pg_has_role(current_user, oid, 'MEMBER') AS is_ours"
    " FROM pg_roles WHERE rolname = :role"
)
_HELD = text(
    "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
    " AND oid IN (SELECT to_regclass(name) FROM unnest(CAST(:names AS text[])) AS name)"
    " AND EXISTS (SELECT FROM pg_policy, unnest(polroles) AS served WHERE polrelid = pg_class.oid"
    " AND polname = 'every_workspace' AND pg_has_role(current_user, served, 'USAGE'))"
)


@contextmanager
def confined(workspace: str) -> Iterator[None]:
    """Confine the transactions that begin in the block to a workspace, if the store has a role for that.

    >>> with confined("w1"):
    ...     confined_workspace()
    'w1'
    >>> confined_workspace() is None
    True

    Raises:
        ValueError: the workspace is empty, which stands for the operator.
    """
    if not workspace:
        raise ValueError("nobody can be confined to the operator's own rows; name a workspace")
    token = _workspace.set(workspace)
    try:
        yield
    finally:
        _workspace.reset(token)


def confined_workspace() -> str | None:
    """Return the workspace that transactions are confined to now, or None."""
    return _workspace.get()


def confine(connection: Connection, role: str) -> None:
    """Confine a transaction that has just begun, if a workspace is named and there is a role."""
    workspace = confined_workspace()
    if workspace is None or not role:
        return
    connection.execute(_ENTER, {"role": role, "setting": WORKSPACE_SETTING, "workspace": workspace})
    connection.execution_options(**{CONFINED_TO: role})


@contextmanager
def across_workspaces(connection: Connection) -> Iterator[None]:
    """Let a confined transaction see every workspace during the block.

    It is for questions that one workspace can't answer, such as whether an account is connected elsewhere; the
    caller must not show what it sees.
    """
    role = connection.get_execution_options().get(CONFINED_TO)
    if role is None:
        yield
        return
    with connection.begin_nested():  # when the block fails, the savepoint brings the role back
        connection.execute(_BECOME, {"role": "none"})
        yield
        connection.execute(_BECOME, {"role": role})


def check_confinement(connection: Connection, role: str, tables: Iterable[str], *, schema: str = "") -> None:
    """Refuse a role or a table that row-level security doesn't cover, and tables that it hides from the operator.

    Raises:
        ConfigurationError: the role is missing, sees everything or can't be assumed; or a table isn't protected, or
            is hidden from the user that signs in.
    """
    found = connection.execute(_ROLE, {"role": role}).one_or_none()
    names = set(tables)
    qualified = [f"{schema}.{name}" if schema else name for name in names]
    held = {row.relname for row in connection.execute(_HELD, {"names": qualified})}
    if found is None or not found.is_ours:
        what = "the role of confined transactions is missing, or isn't granted to the user that signs in"
    elif found.is_free:
        what = "the role of confined transactions bypasses row-level security"
    elif names - held:
        what = (
            f"row-level security isn't forced on, or shuts the operator out of: {', '.join(sorted(names - held))}"
        )
    else:
        return
    raise ConfigurationError(what, subject=f"setting workspace_role, role {role}", remedy=REMEDY)

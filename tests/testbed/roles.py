"""Roles for row-level security; a server has them for all its databases, so that each test needs its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from speckitty_connectors.store.row_level_security import row_level_security

from .postgresql import execute


@contextmanager
def workspace_role(url: str, *, schema: str = "") -> Iterator[str]:
    """Set row-level security up in a migrated database; give the role that it holds, and drop it afterwards."""
    role = f"workspace_{secrets.token_hex(8)}"
    execute(url, row_level_security(role=role, schema=schema))
    try:
        yield role
    finally:
        execute(url, f"DROP OWNED BY {role}; DROP ROLE {role}")

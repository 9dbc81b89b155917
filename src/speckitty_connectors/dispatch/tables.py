"""The router writes what the worker claims: the table stands where both may see it."""

from __future__ import annotations

from ..routing.tables import dispatches

__all__ = ["dispatches"]

"""Which of the host's handlers a dispatch goes to."""

from __future__ import annotations

from attrs import frozen

from ..errors import ConfigurationError, ConflictError
from .types import EffectHandler, TransactionalHandler

EVERY_OTHER = ""
"""Stands for every target kind without a handler of its own."""


@frozen(kw_only=True)
class InTransaction:
    """A handler that runs in the transaction that marks the dispatch done."""

    call: TransactionalHandler


@frozen(kw_only=True)
class AtLeastOnce:
    """A handler that runs outside any transaction."""

    call: EffectHandler


class Handlers:
    """The host's handlers: one for every target kind, or one per kind.

    >>> handlers = Handlers()
    >>> handlers.in_transaction(lambda dispatch, connection: None)
    >>> handlers.at_least_once(print, target_kind="feed")
    >>> type(handlers.find("feed")).__name__, type(handlers.find("project")).__name__
    ('AtLeastOnce', 'InTransaction')
    """

    def __init__(self) -> None:
        self._handlers: dict[str, InTransaction | AtLeastOnce] = {}

    def __bool__(self) -> bool:
        return bool(self._handlers)

    def in_transaction(self, handler: TransactionalHandler, *, target_kind: str = EVERY_OTHER) -> None:
        """Register a handler whose writes through the supplied connection happen exactly once.

        Raises:
            ConflictError: that target kind has a handler.
        """
        self._add(target_kind, InTransaction(call=handler))

    def at_least_once(self, handler: EffectHandler, *, target_kind: str = EVERY_OTHER) -> None:
        """Register a handler for effects outside the database; `Dispatch.effect_key` tells repeats.

        Raises:
            ConflictError: that target kind has a handler.
        """
        self._add(target_kind, AtLeastOnce(call=handler))

    def find(self, target_kind: str) -> InTransaction | AtLeastOnce:
        """Return the handler of a target kind.

        Raises:
            ConfigurationError: there is none.
        """
        handler = self._handlers.get(target_kind) or self._handlers.get(EVERY_OTHER)
        if handler is None:
            raise ConfigurationError(
                "nothing handles dispatches to this kind of target",
                subject=f"target kind {target_kind!r}",
                remedy="register a handler for it, or one for every kind",
            )
        return handler

    def _add(self, target_kind: str, handler: InTransaction | AtLeastOnce) -> None:
        if target_kind in self._handlers:
            raise ConflictError(
                "two handlers for the same dispatches",
                subject=f"target kind {target_kind!r}" if target_kind else "every target kind",
                remedy="register one of them",
            )
        self._handlers[target_kind] = handler

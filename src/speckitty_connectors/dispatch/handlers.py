"""Which of the host's handlers a dispatch goes to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, ParamSpec

from attrs import field, frozen
from sqlalchemy import Connection

from ..errors import ConfigurationError, ConflictError
from ..policy.types import EffectivePolicy
from ..providers.deliveries import Event
from ..providers.suggestions import Target

SCHEMAS: Final = "schema_translate_map"
"""SQLAlchemy's option that says which schema tables without one are in."""


Arguments = ParamSpec("Arguments")


class HandlerError(Exception):
    """The handler raised what is this error's cause."""


@frozen(kw_only=True)
class Dispatch:
    """An event on its way to one target.

    Attributes:
        id: its id.
        workspace: the workspace that mapped the resource.
        provider: provider key of the installation.
        host: host of the installation.
        installation_id: the installation that the event came through.
        event_id: id of the delivery in the inbox; `explain` takes it.
        decision_id: the decision that placed the event.
        mapping_id: the mapping that says so; empty where it was inferred.
        event: what happened.
        target: where it goes.
        effect_key: equal on every attempt, and for every delivery that tells of the same change: the key by
            which a receiver outside this database leaves out what it has seen.
        policy: what holds for a project at this moment, or by default for every other kind of target.
        attempt: 1 for the first start; starts that ended in a crash count.

    >>> from speckitty_connectors.providers.resources import ResourceReference
    >>> Dispatch(id="1", workspace="w", provider="acme", host="acme.example", installation_id="2", event_id="3",
    ...          decision_id="4", mapping_id="5", target=Target(kind="project", id="apollo"), effect_key="6",
    ...          event=Event(kind="push", resources=(ResourceReference(kind="board", id="7"),)), attempt=1).attempt
    1
    """

    id: str
    workspace: str
    provider: str
    host: str
    installation_id: str
    event_id: str
    decision_id: str
    mapping_id: str
    event: Event
    target: Target
    effect_key: str
    attempt: int
    policy: EffectivePolicy = field(factory=EffectivePolicy)


TransactionalHandler = Callable[[Dispatch, Connection], None]
"""Handles a dispatch in the transaction that marks it done: what it writes through that connection is written
exactly once. It must not commit or roll back, nor wait for anything outside the database. The first line of the
error that it raises is stored, so keep secrets out of it."""

HostTransaction = Callable[[], AbstractContextManager[Any]]
"""Opens a transaction of the host's on the database of the connectors, and yields a DB-API cursor of its
connection; it commits where its block ends well, and rolls back where that raises."""

HostHandler = Callable[[Dispatch, Any], None]
"""Handles a dispatch in a transaction that the host has opened, with the cursor that its context manager yielded.
What it writes there is written exactly once. It must not commit or roll back by itself."""

EffectHandler = Callable[[Dispatch], None]
"""Handles a dispatch outside any transaction, at least once: after a crash it is called again with the same
`Dispatch.effect_key`."""

EVERY_OTHER = ""
"""Stands for every target kind without a handler of its own."""


@frozen(kw_only=True)
class InTransaction:
    """A handler that runs in the transaction that marks the dispatch done."""

    call: TransactionalHandler


@frozen(kw_only=True)
class InHostTransaction:
    """A handler that runs in a transaction which the host opens, and in which the dispatch is marked done."""

    call: HostHandler
    transaction: HostTransaction


@frozen(kw_only=True)
class AtLeastOnce:
    """A handler that runs outside any transaction."""

    call: EffectHandler


Handler = InTransaction | InHostTransaction | AtLeastOnce


class Handlers:
    """The host's handlers: one for every target kind, or one per kind.

    Attributes:
        registered: the handlers, by target kind.

    >>> handlers = Handlers()
    >>> handlers.in_transaction(lambda dispatch, connection: None)
    >>> handlers.at_least_once(print, target_kind="feed")
    >>> type(handlers.find("feed")).__name__, type(handlers.find("project")).__name__
    ('AtLeastOnce', 'InTransaction')
    """

    def __init__(self) -> None:
        self.registered: dict[str, Handler] = {}

    def in_transaction(self, handler: TransactionalHandler, *, target_kind: str = EVERY_OTHER) -> None:
        """Register a handler whose writes through the supplied connection happen exactly once.

        Raises:
            ConflictError: that target kind has a handler.
        """
        self._add(target_kind, InTransaction(call=handler))

    def in_host_transaction(
        self, handler: HostHandler, *, transaction: HostTransaction, target_kind: str = EVERY_OTHER
    ) -> None:
        """Register a handler whose writes in a transaction that the host opens happen exactly once.

        Raises:
            ConflictError: that target kind has a handler.
        """
        self._add(target_kind, InHostTransaction(call=handler, transaction=transaction))

    def at_least_once(self, handler: EffectHandler, *, target_kind: str = EVERY_OTHER) -> None:
        """Register a handler for effects outside the database; `Dispatch.effect_key` tells repeats.

        Raises:
            ConflictError: that target kind has a handler.
        """
        self._add(target_kind, AtLeastOnce(call=handler))

    def find(self, target_kind: str) -> Handler:
        """Return the handler of a target kind.

        Raises:
            ConfigurationError: there is none.
        """
        handler = self.registered.get(target_kind) or self.registered.get(EVERY_OTHER)
        if handler is None:
            raise ConfigurationError(
                "nothing handles dispatches to this kind of target",
                subject=f"target kind {target_kind!r}",
                remedy="register a handler for it, or one for every kind",
            )
        return handler

    def _add(self, target_kind: str, handler: Handler) -> None:
        if target_kind in self.registered:
            raise ConflictError(
                "two handlers for the same dispatches",
                subject=f"target kind {target_kind!r}" if target_kind else "every target kind",
                remedy="register one of them",
            )
        self.registered[target_kind] = handler


@contextmanager
def as_the_host(connection: Connection) -> Iterator[None]:
    """Let tables without a schema be the host's in the block, also where the setting `schema` makes them ours."""
    ours = connection.get_execution_options().get(SCHEMAS)
    connection.execution_options(**{SCHEMAS: None})
    try:
        yield
    finally:
        connection.execution_options(**{SCHEMAS: ours})


def call(handler: Callable[Arguments, None], *given: Arguments.args, **named: Arguments.kwargs) -> None:
    """Call the host's code; whatever it raises is its failure, but what a person does at the main thread isn't.

    Raises:
        HandlerError: it raised, whatever that was.
    """
    try:
        handler(*given, **named)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        raise HandlerError from error

"""Wakes idle workers when there is work: those of this process at once, those of others through PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..configuration import WorkerSettings
from ..store.engine import Store
from ..store.notifications import Listener, Notifier

Wake = Callable[[], None]


class Waking:
    """Knows who of this process is to be woken, and notifies other processes; nothing depends on that it arrives.

    Attributes:
        reaches_others: whether other processes can be notified: on PostgreSQL, unless the settings say otherwise.

    Args:
        store: where the work is.
        settings: whether and how often other processes are notified.
    """

    def __init__(self, store: Store, settings: WorkerSettings) -> None:
        self._store = store
        self.reaches_others = settings.notifies and not store.is_sqlite
        self._notifier = Notifier(store, interval_seconds=settings.notify_seconds)
        self._sleepers: tuple[Wake, ...] = ()

    def wake(self) -> None:
        """Wake every idle worker; call it after the commit of what they are to find."""
        self.wake_here()
        if self.reaches_others:
            self._notifier.notify()

    def wake_here(self) -> None:
        """Wake the idle workers of this process."""
        for wake in self._sleepers:
            wake()

    @contextmanager
    def waking(self, wake: Wake) -> Iterator[None]:
        """Have somebody woken while the block runs, by this process and, on PostgreSQL, by others."""
        self._sleepers = (*self._sleepers, wake)
        listener = Listener(self._store, wake) if self.reaches_others else None
        if listener is not None:
            listener.start()
        try:
            yield
        finally:
            self._sleepers = tuple(each for each in self._sleepers if each != wake)
            if listener is not None:
                listener.close()

    def close(self) -> None:
        """Notify other processes no more."""
        self._notifier.close()

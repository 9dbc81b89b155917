"""Telling other processes that there is work: PostgreSQL's NOTIFY and LISTEN. Whatever is lost, polling finds."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from .engine import Store

CHANNEL: Final = "speckitty_connectors"
"""PostgreSQL's channels belong to a database; the payload is the schema, which others may share it with."""

LONGEST_PAUSE_SECONDS: Final = 5.0
"""How long to wait at most before another connection is tried."""

LOOK_SECONDS: Final = 0.2
"""How often a listener looks whether it is to end."""

logger = logging.getLogger(__name__)


class Notifier:
    """Notifies the processes that listen: the first time at once, then at most once in each interval.

    It has a thread and a connection of its own, so that nobody waits for it; both begin with the first call, and
    what can't be told isn't told. On SQLite it does nothing.

    Args:
        store: where the work is.
        interval_seconds: the shortest time between two notifications; one stands for all that is stored in it.
    """

    def __init__(self, store: Store, *, interval_seconds: float) -> None:
        self._store = store
        self._interval_seconds = interval_seconds
        self._process = 0
        self._lock = threading.Lock()
        self._asked, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Have the others told soon; call it after the commit of what they are to find."""
        if self._store.is_sqlite or self._closing.is_set():
            return
        if self._process != os.getpid():  # a forked process has no thread
            self._start()
        self._asked.set()

    def close(self) -> None:
        """Tell nobody any more, and close the connection."""
        self._closing.set()
        self._asked.set()
        if self._thread is not None and self._process == os.getpid():
            self._thread.join(LONGEST_PAUSE_SECONDS)

    def _start(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            self._asked, self._process = threading.Event(), os.getpid()
            self._thread = threading.Thread(target=self._run, name="connectors-notifier", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = self._interval_seconds
        while not self._closing.is_set():
            try:
                with closing(self._store.connect_apart()) as connection:
                    pause = self._interval_seconds
                    self._tell(connection)
            except Exception as error:  # noqa: BLE001 - whatever it is, polling finds what was not told
                logger.info("idle workers aren't notified: %s", error)
                self._closing.wait(pause)
                pause = min(max(2 * pause, LOOK_SECONDS), LONGEST_PAUSE_SECONDS)

    def _tell(self, connection: Any) -> None:
        while self._asked.wait() and not self._closing.is_set():
            self._asked.clear()  # before it is told: what is stored from now on is told again
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, self._store.schema))
            self._closing.wait(self._interval_seconds)


class Listener:
    """Hears what other processes are notified of, on a connection of its own; connects anew when that is lost.

    Args:
        store: where the work is; not SQLite.
        when_notified: is called when there may be work: after each notification, and after each connection.
    """

    def __init__(self, store: Store, when_notified: Callable[[], None]) -> None:
        self._store = store
        self._when_notified = when_notified
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connectors-listener", daemon=True)

    def start(self) -> None:
        """Begin to listen, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Listen no more, and close the connection."""
        self._closing.set()
        self._thread.join(LONGEST_PAUSE_SECONDS)

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while not self._closing.is_set():
            try:
                with closing(self._store.connect_apart()) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    pause = LOOK_SECONDS
                    self._when_notified()  # what was told while nobody listened
                    self._listen(connection)
            except Exception as error:  # noqa: BLE001 - whatever it is, polling goes on, and this is tried again
                logger.info("workers poll, because notifications can't be heard: %s", error)
                self._closing.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _listen(self, connection: Any) -> None:
        while not self._closing.is_set():
            for notification in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                if notification.payload == self._store.schema:
                    self._when_notified()

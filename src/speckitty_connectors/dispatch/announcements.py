"""Gives task engines a name for each accepted delivery: after its commit, and never in its way."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Final

Hook = Callable[[str], None]
"""Takes the name of accepted work, which `Connectors.run` understands. It may be slow, and it may fail."""

WAITING: Final = 10_000
"""How many names may wait for hooks; more are dropped, because the sweeper finds what they name."""

SEPARATOR: Final = "/"
"""Between the id of a row and its workspace, which may be any text."""

LONGEST_NAME: Final = 512
"""In characters; no row has a longer one."""

logger = logging.getLogger(__name__)


def name_of(workspace: str, row_id: str) -> str:
    """Return how a message calls a row.

    >>> name_of("w1", "0190a"), read_name("0190a/w1")
    ('0190a/w1', ('w1', '0190a'))
    """
    return f"{row_id}{SEPARATOR}{workspace}"


def read_name(name: object) -> tuple[str, str] | None:
    """Return workspace and id of the row that a message names; None where it can't be the name of one."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
        return None
    row_id, separator, workspace = name.partition(SEPARATOR)
    return (workspace, row_id) if separator and row_id else None


class Announcements:
    """Calls hooks from a thread of its own, so that none of them delays an acknowledgement or fails one."""

    def __init__(self) -> None:
        self._hooks: list[Hook] = []
        self._process = 0
        self._lock = threading.Lock()
        self._names: queue.Queue[str] = queue.Queue(WAITING)

    def add(self, hook: Hook) -> None:
        """Call a hook for everything that is accepted from now on."""
        self._hooks.append(hook)

    def announce(self, workspace: str, row_id: str) -> None:
        """Have every hook called soon; nothing is waited for."""
        if not self._hooks:
            return
        if self._process != os.getpid():  # a forked process has no thread
            self._start()
        try:
            self._names.put_nowait(name_of(workspace, row_id))
        except queue.Full:
            logger.warning("hooks are too slow: a delivery waits for the sweeper")

    def _start(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            self._names = queue.Queue(WAITING)
            self._process = os.getpid()
            threading.Thread(target=self._call, args=(self._names,), name="connectors-hooks", daemon=True).start()

    def _call(self, names: queue.Queue[str]) -> None:
        while True:
            name = names.get()
            for hook in tuple(self._hooks):
                try:
                    hook(name)
                except Exception as error:
                    logger.warning("a hook failed; the sweeper finds what it was told of", exc_info=error)

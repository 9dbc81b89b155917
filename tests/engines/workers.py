"""Worker processes of an engine, which a test kills at random and starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class Workers:
    """As many processes of one command as a test asks for, each a session of its own with all that it forks.

    Args:
        command: the module and arguments that Python runs.
        environment: variables beside our own.
        log: where they write.
        count: how many run at once.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, count: int = 2
    ) -> None:
        self._command = [sys.executable, "-m", *command]
        paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        self._environment = {**os.environ, **environment, "PYTHONPATH": paths}
        self._log = log
        self._running = [self._start() for _ in range(count)]

    def kill(self, number: int) -> None:
        """Kill a process and its children in the middle of whatever they do, and start another in its place."""
        self._end(self._running[number])
        self._running[number] = self._start()

    def __len__(self) -> int:
        return len(self._running)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            self._end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

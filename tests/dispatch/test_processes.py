"""`work`: real processes that are stopped, killed, paused and made to hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from speckitty_connectors import KeyRing
from speckitty_connectors.store.engine import Store

from .waiting import Waiting, until

pytestmark = pytest.mark.soak

KEY: Final = KeyRing.new_key()

HANDLER: Final = """
import os, signal, time
from pathlib import Path

JOURNAL = Path(os.environ["JOURNAL"])

def note(word, dispatch):
    with JOURNAL.open("a") as journal:
        journal.write(f"{word} {dispatch.id} {os.getpid()}\\n")

def register(connectors):
    def handle(dispatch, *_):
        note("began", dispatch)
        first = dispatch.id == JOURNAL.with_name("first").read_text()
        if first and os.environ["DOES"] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if first and os.environ["DOES"] == "hangs":
            time.sleep(3600)
        time.sleep(float(os.environ["SECONDS"]))
        note("ended", dispatch)
    (connectors.on if os.environ["IN_TRANSACTION"] else connectors.on_effect)()(handle)
"""

SETTINGS: Final = """
database_url = "{url}"
handler = "hosts_handler:register"
[keys]
2026 = "env:KEY_2026"
[workers]
lease_seconds = 2
handler_limit_seconds = {limit}
grace_seconds = {grace}
poll_seconds = 0.1
"""


class Shell:
    """A database with dispatches that wait, and an operator who runs `work` on it."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.waiting = Waiting.on(store)
        self.folder = folder
        self.journal = folder / "journal"
        self.journal.touch()

    def add(self, count: int) -> None:
        """Let dispatches wait; the handler knows the first."""
        self.waiting.add(count)
        self.folder.joinpath("first").write_text(self.waiting.ids()[0])

    @contextmanager
    def work(
        self,
        *options: str,
        does: str = "",
        seconds: float = 0.0,
        grace: float = 5.0,
        limit: float = 300.0,
        in_transaction: bool = False,
    ) -> Iterator[subprocess.Popen[str]]:
        """Run the command while the block runs, from the moment in which all its processes work."""
        settings = self.folder / "settings.toml"
        url = self.waiting.store.url.render_as_string(hide_password=False)
        settings.write_text(SETTINGS.format(url=url, grace=grace, limit=limit))
        (self.folder / "hosts_handler.py").write_text(HANDLER)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "KEY_2026": KEY.reveal(),
            "JOURNAL": str(self.journal),
            "DOES": does,
            "SECONDS": str(seconds),
            "IN_TRANSACTION": "yes" if in_transaction else "",
        }
        command = [
            sys.executable,
            "-u",
            "-m",
            "speckitty_connectors.cli",
            "--config",
            str(settings),
            "work",
            *options,
        ]
        running = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == "working\n"
            yield running
        finally:
            # the children too: until they notice that they are alone, they would take what the next test adds
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            running.stdout.close()

    def noted(self, word: str) -> list[str]:
        """Return the dispatches of which the handler noted this, in that order."""
        return [line.split()[1] for line in self.journal.read_text().splitlines() if line.startswith(word)]

    def process(self, word: str) -> int:
        """Return the process that noted this last."""
        return int([line.split()[2] for line in self.journal.read_text().splitlines() if line.startswith(word)][-1])


@pytest.fixture
def shell(store: Store, tmp_path: Path) -> Shell:
    """An operator at a shell, on both databases."""
    return Shell(store, tmp_path)


def test_work_ends_when_it_is_told_to(shell: Shell) -> None:
    """SIGTERM lets the running handler end, starts nothing new, and what was claimed is due at once."""
    shell.add(4)
    with shell.work("--threads", "1", seconds=1.0) as running:
        until(lambda: bool(shell.noted("began")))
        running.terminate()
        assert running.wait(timeout=30) == 0
        assert running.stdout is not None
        assert running.stdout.read() == "stopped\n"
    assert shell.noted("began") == shell.noted("ended")
    states = shell.waiting.states()
    assert (states["done"], states["done"] + states["pending"]) == (len(shell.noted("ended")), 4)
    assert set(shell.waiting.crashes()) == {0}


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_handler_that_goes_on_is_cut_off_after_the_grace(shell: Shell, *, in_transaction: bool) -> None:
    """A handler that hangs when its process is told to end costs the grace, no more; its row is due, uncounted."""
    shell.add(3)
    with shell.work(does="hangs", grace=1.0, in_transaction=in_transaction) as running:
        until(lambda: bool(shell.noted("began")))
        running.terminate()
        assert running.wait(timeout=30) == 0
    assert shell.waiting.states()["running"] == 0
    assert set(shell.waiting.crashes()) == {0}


def test_a_second_signal_ends_everything_at_once(shell: Shell) -> None:
    """Who asks twice doesn't wait for the grace, and what was running is due."""
    shell.add(1)
    with shell.work(does="hangs", grace=600.0) as running:
        until(lambda: bool(shell.noted("began")))
        running.terminate()
        time.sleep(1.0)
        running.terminate()
        assert running.wait(timeout=30) == 0
    assert shell.waiting.states() == {"pending": 1}


def test_what_kills_its_process_is_parked_and_nothing_else(shell: Shell) -> None:
    """One event kills each process that starts it; it is parked after five, and all others are handled once."""
    shell.add(12)
    with shell.work("--processes", "2", does="dies"):
        until(lambda: shell.waiting.states() == {"done": 11, "parked": 1})
    assert len(shell.noted("began")) == 11 + 5
    assert sorted(shell.noted("ended")) == sorted(set(shell.waiting.ids()) - {shell.noted("began")[0]})


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_handler_that_hangs_costs_its_own_row_only(shell: Shell, *, in_transaction: bool) -> None:
    """A process whose handler is past the limit is ended; the others' events are all handled meanwhile, once."""
    shell.add(10)
    with shell.work("--threads", "2", does="hangs", limit=1.0, in_transaction=in_transaction):
        until(lambda: shell.waiting.states()["done"] == 9)
        until(lambda: len(shell.noted("began")) > 10)  # another process tries it
    assert len(shell.noted("ended")) == len(set(shell.noted("ended"))) == 9


def test_a_process_that_is_paused_loses_its_rows_and_does_nothing_twice(shell: Shell) -> None:
    """A process stopped for longer than its lease is replaced; in a transaction each event is handled once."""
    shell.add(6)
    with shell.work("--processes", "2", seconds=0.3, in_transaction=True):
        until(lambda: bool(shell.noted("began")))
        os.kill(shell.process("began"), signal.SIGSTOP)
        until(lambda: shell.waiting.states() == {"done": 6})


def test_children_end_with_their_parent(shell: Shell) -> None:
    """Where the parent is killed, its children notice, end in their grace, and leave nothing behind."""
    shell.add(1)
    with shell.work(seconds=0.1) as running:
        until(lambda: shell.waiting.states() == {"done": 1})
        child = shell.process("ended")
        running.kill()
        until(lambda: not _lives(child))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().split()[2]

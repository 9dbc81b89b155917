"""Where a test run keeps its temporary files: in memory, where the machine has room for them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 3 * 2**30
"""Bytes that have to be free; a run needs less than one third of them."""


def use_memory() -> None:
    """Have temporary files made in memory from now on, here and in processes that are started, if there is room.

    Tests wait for tens of thousands of commits, and a disk may stall for seconds where memory doesn't. What they
    kill is a process, never the machine, so they prove as much there. `TMPDIR` names another place.
    """
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

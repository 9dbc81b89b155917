"""A process that starts others by forking itself, each with what its line says; see `renewing.harness`.

It reads ``["call_once", …]`` or ``["call_on", …]`` with the arguments and answers each line with a process id.
At the end of its input it ends what it started.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from renewing.roles import Assignment, call_on, call_once

ROLES: dict[str, Any] = {"call_once": call_once, "call_on": call_on}


def main() -> None:
    """Obey until the input ends."""
    assignment = Assignment.from_text(sys.argv[1])
    children: list[int] = []
    for line in sys.stdin:
        role, *arguments = json.loads(line)
        child = os.fork()
        if not child:
            try:
                ROLES[role](assignment, *arguments)
            finally:
                os._exit(0)
        children.append(child)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    for child in children:
        # nobody else reaps them, so an id is that of our child until it is waited for here
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main()

"""A process that starts servers and workers by forking itself: a start costs milliseconds, so kills may be many.

It reads one command a line and answers each with one line: ``serve`` or ``work`` starts a process and gives its
id; ``alive <id>`` says whether it still runs. At the end of its input it ends what it started.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable

from crash.roles import Assignment, serve, work


def main() -> None:
    """Obey until the input ends."""
    assignment = Assignment.from_text(sys.argv[1])
    listening = socket.socket(fileno=int(sys.argv[2]))
    roles: dict[str, Callable[[], None]] = {
        "serve": lambda: serve(assignment, listening),
        "work": lambda: work(assignment),
    }
    children: list[int] = []
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "alive":
            answer = str(os.waitpid(int(argument), os.WNOHANG) == (0, 0))
        else:
            children.append(_start(roles[command]))
            answer = str(children[-1])
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()
    for child in children:
        _end(child)


def _start(role: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        role()
    finally:
        os._exit(1)


def _end(child: int) -> None:
    # nobody else reaps them, so an id is that of our child until it is waited for here
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return


if __name__ == "__main__":
    main()

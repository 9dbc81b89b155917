"""Watches what a plugin does besides answering: connections in this process, and everything when it is imported."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, Final
from unittest import mock

WATCHED: Final[Mapping[str, tuple[object, str]]] = {
    "a connection": (socket.socket, "connect"),
    "a connection that doesn't wait": (socket.socket, "connect_ex"),
    "the name server": (socket, "getaddrinfo"),
    "another process": (subprocess, "Popen"),
}
"""What is noticed and refused while a hook runs."""

PROBE_SECONDS: Final = 60
"""Longest time that an import may take before it is given up."""


class SealedOffError(OSError):
    """A plugin tried to reach something outside."""


@contextmanager
def sealed_off() -> Iterator[list[str]]:
    """Refuse connections and processes while the block runs, and yield the list of what was tried."""
    tried: list[str] = []

    def refusing(what: str) -> Callable[..., Any]:
        def refuse(*_: object, **__: object) -> Any:
            tried.append(what)
            raise SealedOffError(what)

        return refuse

    with ExitStack() as stack:
        for what, (owner, name) in WATCHED.items():
            stack.enter_context(mock.patch.object(owner, name, refusing(what)))
        yield tried


PROBE: Final = """
import json, logging, os, signal, sys, threading, time, warnings
import speckitty_connectors
connected = []
sys.addaudithook(lambda event, _: connected.append(event) if event in {
    "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "socket.bind"} else None)
def seen():
    root = logging.getLogger()
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "logging": [root.level, len(root.handlers), logging.root.manager.disable],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)],
        "path": list(sys.path),
    }
before, modules, started = seen(), set(sys.modules), time.process_time()
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    __import__(sys.argv[1])
seconds = time.process_time() - started
after = seen()
print(json.dumps({
    "changed": sorted(name for name in before if before[name] != after[name]),
    "connected": connected,
    "warnings": [str(warning.message)[:200] for warning in warned],
    "modules": sorted(set(sys.modules) - modules),
    "seconds": seconds,
}), file=sys.stderr)
"""
"""Imports a module in a process of its own, after core, and says on standard error what that changed."""


@cache
def import_effects(module: str) -> Mapping[str, Any]:
    """Return what importing a module does: what it changed, reached, printed, and how long it took.

    Keys: ``changed``, ``connected``, ``warnings``, ``modules``, ``seconds`` (of CPU), ``printed``.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", PROBE, module],
        capture_output=True,
        text=True,
        timeout=PROBE_SECONDS,
        env=environment,
        check=False,
    )
    lines = done.stderr.splitlines()
    if done.returncode or not lines:
        return {"failed": lines[-1] if lines else f"exit code {done.returncode}"}
    effects: dict[str, Any] = json.loads(lines[-1])
    return {**effects, "printed": done.stdout + "".join(lines[:-1])}


def is_importable(module: str) -> bool:
    """Say whether a module can be found again by its name; one of a test file can't."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False

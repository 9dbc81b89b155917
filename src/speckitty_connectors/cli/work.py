"""`work`: workers in processes of their own."""

from __future__ import annotations

import logging
import os
import signal
import threading
from multiprocessing.connection import Connection
from typing import Final

import click

from ..configuration import load_object
from ..connectors import Connectors
from ..dispatch.processes import REPLACE_ME, Processes, beating
from .operator import FAILED, Operator

LOGGED: Final = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
"""How workers log, on standard error."""

LOOK_SECONDS: Final = 0.2
"""How often a worker process looks whether it is to end."""


@click.command()
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1), help="Worker processes.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Worker threads in each.")
@click.option(
    "--after",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Take only what waited so many seconds: beside a task engine.",
)
@click.pass_obj
def work(operator: Operator, *, processes: int, threads: int, after: float) -> None:
    """Route and dispatch events in processes of their own. They work until they are stopped."""
    logging.basicConfig(level=logging.INFO, format=LOGGED)
    with operator.connectors() as connectors:  # what is wrong with settings or tables is told once, and here
        settings = connectors.settings
        if settings.handler:
            load_object(settings.handler, setting="handler")
    children = Processes(
        work_in_child,
        (operator, threads, after),
        count=processes,
        silent_seconds=settings.workers.lease_seconds,
        grace_seconds=settings.workers.grace_seconds,
        release=lambda worker: release(operator, worker),
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: children.stop())
    children.run(lambda: click.echo("working"))
    click.echo("stopped")


def work_in_child(operator: Operator, threads: int, after: float, pipe: Connection) -> None:
    """Work until SIGTERM, until the parent is gone, or until a handler runs past its limit; then end."""
    logging.basicConfig(level=logging.INFO, format=LOGGED)
    stopped = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent passes on what it means
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with operator.connectors() as connectors:
        register_handlers(connectors)
        pool = connectors.pool(threads=threads, after_seconds=after)
        pool.start()
        beating(pipe, connectors.worker_id, stopped)
        while not stopped.wait(LOOK_SECONDS) and not pool.late:
            pass
        if pool.late:
            logging.getLogger(__name__).critical("a handler hangs: this process ends when the others are done")
        ended = pool.stop()
        logging.shutdown()
        os._exit(REPLACE_ME if pool.late else 0 if ended else FAILED)  # a handler that still runs would keep it


def release(operator: Operator, worker: str) -> None:
    """Give back the rows of a worker process that has ended."""
    with operator.connectors() as connectors:
        connectors.release(worker)


def register_handlers(connectors: Connectors) -> None:
    """Let the host's function of the setting `handler` register what dispatches are handed to.

    Raises:
        ConfigurationError: there is no such function.
    """
    if connectors.settings.handler:
        load_object(connectors.settings.handler, setting="handler")(connectors)

"""`work`: workers in a process of their own."""

from __future__ import annotations

import signal
import threading

import click

from ..configuration import load_object
from ..connectors import Connectors
from .operator import Operator


@click.command()
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Worker threads.")
@click.option(
    "--after",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Take only what waited so many seconds: beside a task engine.",
)
@click.pass_obj
def work(operator: Operator, *, threads: int, after: float) -> None:
    """Route and dispatch events in a process of its own. It works until it is stopped."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with operator.connectors() as connectors:
        register_handlers(connectors)
        with connectors.working(threads=threads, after_seconds=after):
            click.echo("working")
            stopped.wait()
    click.echo("stopped")


def register_handlers(connectors: Connectors) -> None:
    """Let the host's function of the setting `handler` register what dispatches are handed to.

    Raises:
        ConfigurationError: there is no such function.
    """
    if connectors.settings.handler:
        load_object(connectors.settings.handler, setting="handler")(connectors)

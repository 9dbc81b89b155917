"""`serve` and `work`: the receiver and the workers."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress

import click

from ..configuration import load_object
from ..connectors import Connectors
from ..web.application import Application
from .operator import Operator, load_extra

LARGEST_REQUEST = 32 * 1024 * 1024
"""Where the server itself stops reading; each provider's own, smaller limit is the inbox's to keep."""

CONNECTIONS = 1000
"""How many may be open at once; those of strangers who send slowly cost no thread, so there may be many."""

SILENT_SECONDS = 30
"""How long a connection may stay silent before it may be closed to make room."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=int, help="Port to listen on; 0 for any free one.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1), help="Requests at once.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0), help="Worker threads beside it.")
@click.option("--upgrade", is_flag=True, help="Bring the tables up to date first.")
@click.pass_obj
def serve(operator: Operator, *, host: str, port: int, threads: int, workers: int, upgrade: bool) -> None:
    """Receive deliveries and callbacks; route and dispatch them in worker threads.

    Without a handler in the settings, events are routed and then wait for a worker that has one.
    """
    waitress = load_extra("waitress")
    with operator.connectors(upgrade=upgrade) as connectors:
        register_handlers(connectors)
        server = waitress.create_server(
            Application(connectors),
            host=host,
            port=port,
            threads=threads,
            max_request_body_size=LARGEST_REQUEST,
            connection_limit=CONNECTIONS,
            channel_timeout=SILENT_SECONDS,
            asyncore_use_poll=True,  # select() ends at 1024 descriptors
            ident=None,
        )
        for app in connectors.apps.list():
            click.echo(f"{app.app.provider} at {app.app.host} posts to {connectors.webhook_url(app)}")
        click.echo(f"listening on http://{host}:{server.effective_port}")
        with connectors.working(threads=workers), suppress(KeyboardInterrupt):
            for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
                signal.signal(number, signal.default_int_handler)
            server.run()
        click.echo("stopped")


@click.command()
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Worker threads.")
@click.pass_obj
def work(operator: Operator, *, threads: int) -> None:
    """Route and dispatch until stopped, in a process of its own."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with operator.connectors() as connectors:
        register_handlers(connectors)
        with connectors.working(threads=threads):
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

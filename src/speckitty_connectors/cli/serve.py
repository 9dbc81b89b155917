"""`serve`: the receiver, with workers beside it."""

from __future__ import annotations

import signal
from contextlib import suppress

import click

from ..web.application import Application
from .operator import Operator, load_extra
from .work import register_handlers

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
    """Receive deliveries and callbacks, and process them. Without the setting `handler`, no event is dispatched."""
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

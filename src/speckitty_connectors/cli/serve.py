"""`serve`: the receiver, with workers beside it."""

from __future__ import annotations

import signal
from contextlib import suppress

import click

from ..web.application import Application
from .operator import Operator, load_extra
from .work import register_handlers


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=int, help="Port to listen on; 0 for any free one.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1), help="Requests at once.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0), help="Worker threads beside it.")
@click.option("--upgrade", is_flag=True, help="Bring the tables up to date first.")
@click.pass_obj
def serve(operator: Operator, *, host: str, port: int, threads: int, workers: int, upgrade: bool) -> None:
    """Receive deliveries and callbacks, and process them. Without the setting `handler`, no event is dispatched."""
    server_type = load_extra("..web.server").BoundedServer
    with operator.connectors(upgrade=upgrade) as connectors:
        register_handlers(connectors)
        server = server_type(Application(connectors), host=host, port=port, threads=threads)
        for app in connectors.apps.list():
            click.echo(f"{app.app.provider} at {app.app.host} posts to {connectors.webhook_url(app)}")
        click.echo(f"listening on http://{host}:{server.effective_port}")
        with connectors.working(threads=workers), suppress(KeyboardInterrupt):
            for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
                signal.signal(number, signal.default_int_handler)
            server.run()
        click.echo("stopped")

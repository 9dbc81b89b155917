"""`demo`: one provider's whole way, against a loopback stand-in over real HTTP; each act is a module."""

from __future__ import annotations

import click

from ...errors import ConfigurationError
from ...standin.protocol import stand_ins
from .connecting import connect, leave, list_and_map, make_webhooks, report
from .deciding import make_exception, map_what_waits
from .receiving import receive, receive_the_end
from .scene import open_scene


@click.command()
@click.option("--provider", default=None, help="Which provider to show; else the first that has a stand-in.")
@click.option(
    "--database-url", default=None, help="Where to store it; else in a SQLite file that is deleted afterwards."
)
def demo(*, provider: str | None, database_url: str | None) -> None:
    """Show a whole integration, with a stand-in as the provider. Nothing leaves this machine."""
    found = stand_ins()
    if not found or (provider and provider not in found):
        raise ConfigurationError(
            f"no stand-in of {provider or 'any provider'} is installed",
            subject="demo",
            remedy="install a provider plugin that has one, for example speckitty-connectors[github]",
        )
    with open_scene(provider or next(iter(found)), database_url) as scene:
        installation = connect(scene)
        list_and_map(scene, installation)
        report(scene, installation)
        heard = make_webhooks(scene, installation)
        end = receive(heard)
        map_what_waits(scene)
        make_exception(scene, installation)
        receive_the_end(heard, end)
        leave(scene, installation)

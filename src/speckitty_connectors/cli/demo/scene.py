"""What the demo plays with: the host's side and the provider's, each behind a real server on loopback."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from attrs import frozen
from sqlalchemy import Connection

from ...configuration import AppSettings, Settings
from ...connectors import Connectors
from ...conversations.visitors import Visitor
from ...credentials.keyring import KeyRing
from ...credentials.secret import Secret
from ...dispatch.handlers import Dispatch
from ...loading.registry import Registry
from ...providers.manifest import Manifest
from ...providers.suggestions import Target
from ...standin.protocol import StandIn, stand_ins
from ...web.application import Application
from ...web.forms import Environ
from ..loopback import Loopback

VISITOR = Visitor(workspace="demo-workspace", member="mona", session="the-session-of-monas-browser")
ACTOR = f"member:{VISITOR.member}"
PROJECT, SECOND_PROJECT, THIRD_PROJECT = (Target(kind="project", id=name) for name in ("apollo", "gemini", "luna"))


@frozen(kw_only=True)
class Scene:
    """What the demo plays with.

    Without a `webhook_scheme`, deliveries are signed by the strongest of the manifest.
    """

    provider: str
    connectors: Connectors
    stand_in: StandIn
    webhook_url: str
    webhook_secret: Secret
    webhook_scheme: str = ""

    @property
    def manifest(self) -> Manifest:
        """What the provider's plugin declares."""
        return self.connectors.registry.provider(self.provider).manifest

    def work(self) -> None:
        """Let a worker take all that is due."""
        while self.connectors.worker().run_once():
            pass

    def explain(self, event_id: str, *, workspace: str = VISITOR.workspace) -> list[str]:
        """Return what became of a delivery, in words."""
        return self.connectors.explain(workspace=workspace, event_id=event_id).lines()


@contextmanager
def open_scene(provider: str, database_url: str | None) -> Iterator[Scene]:
    """Put up a stand-in and a receiver, each behind a real server on loopback."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="speckitty-connectors-"))
        here, there = stack.enter_context(Loopback()), stack.enter_context(Loopback())
        settings = Settings(
            database_url=database_url or f"sqlite:///{Path(folder) / 'demo.db'}",
            keys={"demo": KeyRing.new_key()},
            public_url=here.url,
            allowed_hosts=frozenset({there.address}),
        )
        factory, registry, host = stand_ins()[provider], Registry(), there.address
        if getattr(factory, "own_host", False):
            registry.provider(provider).relocate(there.url)
            host = registry.provider(provider).manifest.hosts.default
        connectors = stack.enter_context(Connectors(settings, registry=registry))
        connectors.upgrade()
        callback = connectors.callback_url(provider, host)
        stand_in = factory(setup_url=callback, callback_url=callback)
        app = _app_settings(provider, stand_in, there.url)
        url = connectors.webhook_url(connectors.register_app(app))
        connectors.on(PROJECT.kind)(_take)
        there.serve(stand_in.application)
        here.serve(Application(connectors, identify=_identify))
        secret = next(iter(app.webhook_secrets), Secret(""))
        yield Scene(
            provider=provider, connectors=connectors, stand_in=stand_in, webhook_url=url, webhook_secret=secret
        )


def heading(text: str) -> None:
    """Begin an act."""
    click.secho(f"\n{text}", bold=True)


def tell(lines: Iterable[str], *, indent: int = 2) -> None:
    """Print lines under a heading, or deeper."""
    for line in lines:
        click.echo(" " * indent + line)


def _app_settings(provider: str, stand_in: StandIn, base_url: str) -> AppSettings:
    """Return the settings that an operator would have copied from the provider's pages."""
    made = stand_in.registration(base_url)
    return AppSettings(
        provider=provider,
        client_id=made["client_id"],
        client_secret=Secret(made["client_secret"]),
        private_key=Secret(made["private_key"]) if made["private_key"] else None,
        webhook_secrets=tuple(Secret(secret) for secret in made["webhook_secrets"]),
        base_url=made["base_url"],
        settings=made["settings"],
    )


def _identify(environ: Environ) -> Visitor | None:
    return VISITOR if VISITOR.session.reveal() in str(environ.get("HTTP_COOKIE", "")) else None


def _take(dispatch: Dispatch, connection: Connection) -> None:
    """Take a dispatch as a host would, and write nothing: that it was done is what the demo shows."""

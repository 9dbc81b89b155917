"""`demo`: one provider's whole way, against a loopback stand-in over real HTTP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from attrs import evolve, frozen
from sqlalchemy import Connection

from ..configuration import AppSettings, Settings
from ..connectors import Connectors
from ..contract.recordings import Recording
from ..credentials.keyring import KeyRing
from ..credentials.secret import Secret
from ..dispatch.types import Dispatch
from ..errors import ConfigurationError, NotFoundError
from ..http.unguarded import browse, post
from ..installations.types import Installation
from ..overrides.types import PolicyScope
from ..providers.resources import ResourceReference
from ..providers.standin import SampleDelivery, StandIn, SubscribedStandIn, stand_ins
from ..providers.suggestions import Target
from ..routing.review import ReviewItem
from ..routing.simulation import Proposal, ProposedPolicy
from ..routing.types import Stage
from ..store.metadata import OPERATOR
from ..web.application import Application
from ..web.visitors import Environ, Visitor
from .loopback import Loopback
from .sending import signed_headers, tampered

VISITOR = Visitor(workspace="demo-workspace", member="mona", session="the-session-of-monas-browser")
COOKIE = {"session": VISITOR.session}
PROJECT, SECOND_PROJECT = Target(kind="project", id="apollo"), Target(kind="project", id="gemini")


@frozen(kw_only=True)
class Scene:
    """What the demo plays with.

    Attributes:
        provider: provider key.
        connectors: the host's side.
        stand_in: the provider's side.
        webhook_url: where deliveries go.
        webhook_secret: what they are signed with.
        webhook_scheme: name of the scheme that they are signed by; the manifest's strongest where empty.
    """

    provider: str
    connectors: Connectors
    stand_in: StandIn
    webhook_url: str
    webhook_secret: Secret
    webhook_scheme: str = ""


@click.command()
@click.option("--provider", default=None, help="Which provider to show; else the first that has a stand-in.")
@click.option("--database-url", default=None, help="Where to keep it; else a SQLite file that is thrown away.")
def demo(*, provider: str | None, database_url: str | None) -> None:
    """Connect, list, map and receive, against a stand-in of a provider on this machine."""
    found = stand_ins()
    if not found or (provider and provider not in found):
        raise ConfigurationError(
            f"no stand-in of {provider or 'any provider'} is installed",
            subject="demo",
            remedy="install a provider plugin that has one, for example speckitty-connectors[github]",
        )
    with _scene(provider or next(iter(found)), database_url) as scene:
        installation = _connect(scene)
        _list_and_map(scene, installation)
        _receive(_with_webhooks(scene, installation))
        _except(scene, installation)
        _review(scene)
        _leave(scene, installation)


@contextmanager
def _scene(provider: str, database_url: str | None) -> Iterator[Scene]:
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
        connectors = stack.enter_context(Connectors(settings))
        connectors.upgrade()
        callback = connectors.callback_url(provider, there.address)
        stand_in = stand_ins()[provider](setup_url=callback, callback_url=callback)
        app = _app_settings(provider, stand_in, there.url)
        url = connectors.webhook_url(connectors.register_app(app))
        connectors.on(PROJECT.kind)(_take)
        there.serve(stand_in.application)
        here.serve(Application(connectors, identify=_identify))
        yield Scene(
            provider=provider,
            connectors=connectors,
            stand_in=stand_in,
            webhook_url=url,
            webhook_secret=next(iter(app.webhook_secrets), Secret("")),
        )


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
    return VISITOR if VISITOR.session in str(environ.get("HTTP_COOKIE", "")) else None


def _take(dispatch: Dispatch, connection: Connection) -> None:
    """Take a dispatch as a host would, and write nothing: that it was done is what the demo shows."""


def _connect(scene: Scene) -> Installation:
    """Walk a browser through the provider's pages until the account is connected."""
    title = scene.connectors.registry.provider(scene.provider).manifest.title
    _heading(f"Connect an account of {title}; no project is asked for")
    first = scene.connectors.onboarding.begin(
        workspace=VISITOR.workspace, member=VISITOR.member, session=VISITOR.session, provider=scene.provider
    )
    click.echo(f"  the browser opens {first.url.partition('?')[0]}")
    page = browse(first.url, cookies=COOKIE)
    found = scene.connectors.installations(VISITOR.workspace)
    if not found:
        raise ConfigurationError(f"the stand-in wasn't connected: {page.text}", subject=scene.provider)
    installation = found[0]
    click.echo(f"  and ends at {page.url.partition('?')[0]}")
    click.echo(f"  connected: {installation.account_kind} {installation.account_name}, {installation.status}")
    return installation


def _list_and_map(scene: Scene, installation: Installation) -> None:
    """List the resources over several pages, and map the first."""
    _heading("List its resources, and map one")
    result = scene.connectors.inventory.sync(VISITOR.workspace, installation.id)
    click.echo(f"  {result.listed} resources on {result.pages} pages")
    manifest = scene.connectors.registry.provider(scene.provider).manifest
    listed = scene.connectors.inventory.resources(VISITOR.workspace, installation.id)
    resource = min(listed, key=lambda each: manifest.rank(each.kind))
    scene.connectors.mappings.create(
        workspace=VISITOR.workspace,
        installation_id=installation.id,
        resource=ResourceReference(kind=resource.kind, id=resource.external_id),
        target=PROJECT,
        actor=f"member:{VISITOR.member}",
    )
    click.echo(f"  {resource.kind} {resource.key} → {PROJECT}")


def _with_webhooks(scene: Scene, installation: Installation) -> Scene:
    """Have the webhooks made, where that is done through the provider's API; deliveries come from there then."""
    if not isinstance(scene.stand_in, SubscribedStandIn):
        return scene
    _heading("Have its webhook made")
    result = scene.connectors.subscriptions.sync(workspace=VISITOR.workspace, installation_id=installation.id)
    for webhook in result.webhooks:
        click.echo(f"  for the {webhook.scope}, signed by its {webhook.scheme}, at an address of its own")
    made = scene.stand_in.webhooks()[0]
    return evolve(scene, webhook_url=made.url, webhook_secret=Secret(made.secret), webhook_scheme=made.scheme)


def _receive(scene: Scene) -> None:
    """Post the story, then a broken copy and a repeat of its first delivery, and say what became of each."""
    _heading("Receive signed deliveries")
    story = scene.stand_in.deliveries()
    for sample in story:
        _post(scene, sample)
    repeat = evolve(story[0], title=f"{story[0].title}, delivered again")
    _post(scene, repeat)
    _post(scene, evolve(story[0], title=f"{story[0].title}, changed on its way"), broken=True)


def _post(scene: Scene, sample: SampleDelivery, *, broken: bool = False) -> None:
    """Post one delivery over HTTP, let a worker take it, and say what became of it."""
    manifest = scene.connectors.registry.provider(scene.provider).manifest
    recording = Recording(name=sample.title, body=sample.content, headers=sample.headers)
    headers = signed_headers(
        manifest,
        recording,
        scene.webhook_secret,
        scheme=scene.webhook_scheme,
        kind=sample.kind,
        delivery_id=sample.delivery_id,
    )
    answer = post(scene.webhook_url, headers=headers, body=tampered(sample.content) if broken else sample.content)
    while scene.connectors.worker().run_once():
        pass
    click.echo(f"  {answer.status}  {sample.title}")
    for line in _became(scene, sample, answer.status):
        click.echo(f"       {line}")


def _became(scene: Scene, sample: SampleDelivery, status: int) -> list[str]:
    """Return what is stored of a delivery, in words."""
    if status >= 400:
        return ["refused: nothing is stored"]
    if status == 200:
        return ["seen before: nothing is done twice"]
    try:
        return scene.connectors.explain(workspace=VISITOR.workspace, event_id=sample.delivery_id).lines()
    except NotFoundError:
        return scene.connectors.explain(workspace=OPERATOR, event_id=sample.delivery_id).lines()


def _except(scene: Scene, installation: Installation) -> None:
    """Let the project want one kind of event no more: tried on an event that it got, then set, and explained."""
    event_id, kind = next(_placed(scene), ("", ""))
    if not event_id:
        return
    _heading(f"The project wants no {kind} any more: tried, then set")
    project = PolicyScope(workspace=VISITOR.workspace, provider=scene.provider, project_id=PROJECT.id)
    muted = {"muted_kinds": [kind]}
    proposal = Proposal(policies=(ProposedPolicy(scope=project, fields=muted),))
    for tried in scene.connectors.simulate(workspace=VISITOR.workspace, event_id=event_id, proposal=proposal):
        click.echo("\n".join(f"  {line}" for line in tried.lines()))
    scene.connectors.overrides.set(project, fields=muted, actor=f"member:{VISITOR.member}")
    policy = scene.connectors.overrides.effective(
        workspace=VISITOR.workspace, installation_id=installation.id, project_id=PROJECT.id
    )
    click.echo(f"  what holds for {PROJECT} from now on:")
    click.echo("\n".join(f"    {line}" for line in policy.lines()))


def _placed(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yield the deliveries of the story that a mapping places, each with the kind of its event."""
    for sample in scene.stand_in.deliveries():
        try:
            simulated = scene.connectors.simulate(workspace=VISITOR.workspace, event_id=sample.delivery_id)
        except NotFoundError:
            continue
        yield from ((sample.delivery_id, each.event.kind) for each in simulated if each.now.stage is Stage.EXPLICIT)


def _review(scene: Scene) -> None:
    """Show what waits; then map the first item of a resource, which replays its events."""
    _heading("What waits for a person")
    items = scene.connectors.review_items(VISITOR.workspace)
    for item in items:
        click.echo(f"  {item.count} x {item.subject.kind} {item.subject.key}: {item.reason}")
    mappable = [item for item in items if item.installation_id and item.held and item.subject.id]
    if mappable:
        _heading("A person maps the first, and what waited is handed over")
        _map(scene, mappable[0])


def _map(scene: Scene, item: ReviewItem) -> None:
    review, actor = scene.connectors.review, f"member:{VISITOR.member}"
    (latest,) = review.events(workspace=VISITOR.workspace, item_id=item.id, limit=1)
    review.map(workspace=VISITOR.workspace, item_id=item.id, target=SECOND_PROJECT, actor=actor)
    click.echo(f"  {item.subject.kind} {item.subject.key} → {SECOND_PROJECT}")
    while scene.connectors.worker().run_once():
        pass
    explained = scene.connectors.explain(workspace=VISITOR.workspace, event_id=latest.event_id)
    for line in explained.lines():
        click.echo(f"       {line}")


def _leave(scene: Scene, installation: Installation) -> None:
    """Disconnect the account: what hangs on it is kept for the day it is connected again."""
    _heading("Disconnect the account")
    removed = scene.connectors.onboarding.remove(
        workspace=VISITOR.workspace, actor=f"member:{VISITOR.member}", installation_id=installation.id
    )
    left = removed.installation
    click.echo(f"  {left.account_kind} {left.account_name}: {left.status}, {left.explanation}")
    for mapping in scene.connectors.mappings.list(workspace=VISITOR.workspace):
        click.echo(f"  {mapping.resource_key} → {mapping.target}: {mapping.state}, {mapping.state_reason}")


def _heading(text: str) -> None:
    click.secho(f"\n{text}", bold=True)

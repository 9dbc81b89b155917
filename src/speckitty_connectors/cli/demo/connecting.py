"""The first acts and the last: an account is connected, listed and mapped, and disconnected in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve

from ...credentials.secret import Secret
from ...errors import ConfigurationError
from ...installations.types import Installation
from ...providers.resources import ResourceReference
from ...providers.suggestions import Signal
from ...resources.types import KnownResource
from ...standin.protocol import SubscribedStandIn
from ...subscriptions.types import Webhook
from ..http import browse
from .scene import ACTOR, PROJECT, SECOND_PROJECT, THIRD_PROJECT, VISITOR, Scene, heading, tell

COOKIE = {"session": VISITOR.session.reveal()}


def connect(scene: Scene) -> Installation:
    """Walk a browser through the provider's pages until the account is connected."""
    heading(f"Connect an account of {scene.manifest.title}; no project is asked for")
    first = scene.connectors.onboarding.begin(visitor=VISITOR, provider=scene.provider)
    page = browse(first.url, cookies=COOKIE)
    found = scene.connectors.installations(VISITOR.workspace)
    if not found:
        raise ConfigurationError(f"the stand-in wasn't connected: {page.text}", subject=scene.provider)
    installation = found[0]
    tell(
        (
            f"the browser opens {first.url.partition('?')[0]}",
            f"and ends at {page.url.partition('?')[0]}",
            f"connected: {installation.account_kind} {installation.account_name}, {installation.status}",
        )
    )
    return installation


def list_and_map(scene: Scene, installation: Installation) -> None:
    """List the resources over several pages, and map the first."""
    heading("List its resources, and map one")
    result = scene.connectors.inventory.sync(VISITOR.workspace, installation.id)
    listed = scene.connectors.inventory.resources(VISITOR.workspace, installation.id)
    resource = min(listed, key=lambda each: scene.manifest.rank(each.kind))
    scene.connectors.mappings.create(
        workspace=VISITOR.workspace,
        installation_id=installation.id,
        resource=ResourceReference(kind=resource.kind, id=resource.external_id),
        target=PROJECT,
        actor=ACTOR,
    )
    tell([f"{result.listed} resources on {result.pages} pages", f"{resource.kind} {resource.key} → {PROJECT}"])


def report(scene: Scene, installation: Installation) -> None:
    """Report two repositories that nobody mapped: two projects have the first, one project has the other.

    Where the provider has no git repositories, there is nothing to report.
    """
    git = {kind.name for kind in scene.manifest.resource_kinds if kind.git}
    listed = scene.connectors.inventory.resources(VISITOR.workspace, installation.id)
    unmapped = [resource for resource in listed if resource.kind in git][1:3]
    signals = list(_seen(unmapped))
    if not signals:
        return
    heading("Report what was seen of projects; nothing is mapped by that")
    scene.connectors.signals.report(workspace=VISITOR.workspace, signals=signals)
    tell(f"a checkout of {signal.project_id} has the remote {signal.remote_url}" for signal in signals)


def make_webhooks(scene: Scene, installation: Installation) -> Scene:
    """Have the webhooks made, where that is done through the provider's API; deliveries come from there then."""
    if not isinstance(scene.stand_in, SubscribedStandIn):
        return scene
    heading("Have its webhook made")
    result = scene.connectors.subscriptions.sync(workspace=VISITOR.workspace, installation_id=installation.id)
    tell(f"{webhook.registration} for the {webhook.scope}{_until(webhook)}" for webhook in result.webhooks)
    made = scene.stand_in.webhooks()[0]
    tell([f"signed by its {made.scheme}"])
    return evolve(scene, webhook_url=made.url, webhook_secret=Secret(made.secret), webhook_scheme=made.scheme)


def leave(scene: Scene, installation: Installation) -> None:
    """Remove the installation: what depends on it is kept until the account is connected again."""
    heading("Disconnect the account")
    removed = scene.connectors.onboarding.remove(
        workspace=VISITOR.workspace, actor=ACTOR, installation_id=installation.id
    )
    left = removed.installation
    tell([f"{left.account_kind} {left.account_name}: {left.status}, {left.explanation}"])
    tell(
        f"{mapping.resource_key} → {mapping.target}: {mapping.state}, {mapping.state_reason}"
        for mapping in scene.connectors.mappings.list(workspace=VISITOR.workspace)
    )


def _until(webhook: Webhook) -> str:
    return f", until {webhook.expires_at:%Y-%m-%d}, renewed before" if webhook.expires_at else ""


def _seen(unmapped: Sequence[KnownResource]) -> Iterator[Signal]:
    for resource, projects in zip(unmapped, ((SECOND_PROJECT, THIRD_PROJECT), (THIRD_PROJECT,)), strict=False):
        for project in projects:
            yield Signal(project_id=project.id, remote_url=f"{resource.url}.git")

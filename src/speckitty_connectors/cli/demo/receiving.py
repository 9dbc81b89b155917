"""The main act: signed deliveries come in over HTTP, and each is explained."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import click
from attrs import evolve

from ...contract.recordings import Recording
from ...credentials.secret import Secret
from ...errors import NotFoundError
from ...identifiers import utc_now
from ...inbox.signatures import covers_body
from ...providers.deliveries import Change, Delivery, Lifecycle
from ...standin.protocol import SampleDelivery
from ...store.metadata import OPERATOR
from ..http import post
from ..send import signed_headers, tampered
from .scene import Scene, heading, tell

ENDS = frozenset({Change.UNINSTALLED, Change.ACCOUNT_DELETED})
"""The changes after which an account isn't connected any more."""


def receive(scene: Scene) -> Sequence[SampleDelivery]:
    """Post the story, then a repeat and a forgery of its first delivery, and say what became of each.

    Where it ends the connection, that end is left for later, and returned: nothing could be decided after it.
    """
    heading("Receive signed deliveries")
    story = scene.stand_in.deliveries()
    told = list(takewhile(lambda sample: not _is_an_end(scene, sample), story))
    for sample in told:
        _post(scene, sample)
    _post(scene, evolve(story[0], title=f"{story[0].title}, delivered again"))
    _forge(scene, story[0])
    return story[len(told) :]


def receive_the_end(scene: Scene, story: Sequence[SampleDelivery]) -> None:
    """Post what was left for later."""
    if story:
        heading("Receive the end of the story")
    for sample in story:
        _post(scene, sample)


def _forge(scene: Scene, sample: SampleDelivery) -> None:
    """Post a delivery that was changed on its way, or, where nobody signs bodies, one with another secret."""
    schemes = scene.manifest.webhooks.schemes
    if covers_body(schemes[scene.webhook_scheme or next(iter(schemes))]):
        _post(scene, evolve(sample, title=f"{sample.title}, changed on its way"), broken=True)
    else:
        stranger = evolve(scene, webhook_secret=Secret("a secret that a stranger made up for it"))
        _post(stranger, evolve(sample, title=f"{sample.title}, from a stranger"))


def _is_an_end(scene: Scene, sample: SampleDelivery) -> bool:
    """Return whether a delivery tells that the account isn't connected any more, as its plugin understands it."""
    delivery = Delivery(
        provider=scene.provider,
        host=scene.manifest.hosts.default,
        kind=sample.kind,
        content=sample.content,
        headers={name.lower(): value for name, value in sample.headers.items()},
        received_at=utc_now(),
    )
    outcome = scene.connectors.registry.provider(scene.provider).route_event(delivery)
    return isinstance(outcome, Lifecycle) and outcome.change in ENDS


def _post(scene: Scene, sample: SampleDelivery, *, broken: bool = False) -> None:
    """Post one delivery over HTTP, let a worker take it, and say what became of it."""
    headers = signed_headers(
        scene.manifest,
        Recording(name=sample.title, body=sample.content, headers=sample.headers),
        scene.webhook_secret,
        scheme=scene.webhook_scheme,
        kind=sample.kind,
        delivery_id=sample.delivery_id,
    )
    body = tampered(sample.content) if broken else sample.content
    answer = post(scene.webhook_url, headers=headers, body=body)
    scene.work()
    click.echo(f"  {answer.status}  {sample.title}")
    tell(_became(scene, sample, answer.status), indent=7)


def _became(scene: Scene, sample: SampleDelivery, status: int) -> list[str]:
    """Return what is stored of a delivery, in words."""
    if status >= 400:
        return ["refused: nothing is stored"]
    if status == 200:
        return ["seen before: nothing is done twice"]
    try:
        return scene.explain(sample.delivery_id)
    except NotFoundError:
        return scene.explain(sample.delivery_id, workspace=OPERATOR)

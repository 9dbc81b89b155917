"""The main act: signed deliveries come in over HTTP, and each is explained."""

from __future__ import annotations

import click
from attrs import evolve

from ...contract.recordings import Recording
from ...errors import NotFoundError
from ...http.unguarded import post
from ...providers.standin import SampleDelivery
from ...store.metadata import OPERATOR
from ..sending import signed_headers, tampered
from .scene import Scene, heading, tell


def receive(scene: Scene) -> None:
    """Post the story, then a repeat and a broken copy of its first delivery, and say what became of each."""
    heading("Receive signed deliveries")
    story = scene.stand_in.deliveries()
    for sample in story:
        _post(scene, sample)
    repeat = evolve(story[0], title=f"{story[0].title}, delivered again")
    _post(scene, repeat)
    _post(scene, evolve(story[0], title=f"{story[0].title}, changed on its way"), broken=True)


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

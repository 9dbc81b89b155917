"""The acts of people: what waits is mapped and handed over, and a project makes an exception."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import NotFoundError
from ...installations.statuses import InstallationStatus
from ...installations.types import Installation
from ...policy.types import PolicyScope
from ...routing.review.items import ReviewItem
from ...routing.simulation import Proposal, ProposedPolicy
from ...routing.types import Stage
from .scene import ACTOR, PROJECT, SECOND_PROJECT, VISITOR, Scene, heading, tell


def map_what_waits(scene: Scene) -> None:
    """Show what waits; then map the first item of a resource, which replays its events."""
    heading("What waits for a person")
    items = scene.connectors.review.list(workspace=VISITOR.workspace)
    for item in items:
        tell([f"{item.count} x {_name(item)}: {item.reason}"])
        tell(_candidates(item), indent=7)
    active = {
        each.id
        for each in scene.connectors.installations(VISITOR.workspace)
        if each.status is InstallationStatus.ACTIVE
    }
    mappable = [item for item in items if item.installation_id in active and item.held and item.subject.id]
    if mappable:
        heading("A person maps the first, and what waited is handed over")
        _map(scene, mappable[0])


def make_exception(scene: Scene, installation: Installation) -> None:
    """Let the project want one kind of event no more: tried on an event that it got, then set, and explained."""
    event_id, kind = next(_placed(scene), ("", ""))
    if not event_id:
        return
    heading(f"The project wants no {kind} any more: tried, then set")
    project = PolicyScope(workspace=VISITOR.workspace, provider=scene.provider, project_id=PROJECT.id)
    muted = {"muted_kinds": [kind]}
    proposal = Proposal(policies=(ProposedPolicy(scope=project, fields=muted),))
    for tried in scene.connectors.simulate(workspace=VISITOR.workspace, event_id=event_id, proposal=proposal):
        tell(tried.lines())
    scene.connectors.policies.set(project, fields=muted, actor=ACTOR)
    policy = scene.connectors.policies.effective(
        workspace=VISITOR.workspace, installation_id=installation.id, project_id=PROJECT.id
    )
    tell([f"what applies to {PROJECT} from now on:"])
    tell(policy.lines(), indent=4)


def _name(item: ReviewItem) -> str:
    """Return what an item is about; some providers' events name ids alone."""
    return f"{item.subject.kind} {item.subject.key or item.subject.id}".strip()


def _candidates(item: ReviewItem) -> Iterator[str]:
    """Yield the targets that a person may choose from, each with what speaks for and against it."""
    for candidate in item.candidates:
        yield f"{candidate.target}? {candidate.confidence} confidence"
        for evidence in candidate.evidence:
            yield f"  {'against' if evidence.against else 'for'}: {evidence.text}"


def _map(scene: Scene, item: ReviewItem) -> None:
    review = scene.connectors.review
    (latest,) = review.events(workspace=VISITOR.workspace, item_id=item.id, limit=1)
    review.map(workspace=VISITOR.workspace, item_id=item.id, target=SECOND_PROJECT, actor=ACTOR)
    tell([f"{_name(item)} → {SECOND_PROJECT}"])
    scene.work()
    tell(scene.explain(latest.event_id), indent=7)


def _placed(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yield the deliveries of the story that a mapping places, each with the kind of its event."""
    for sample in scene.stand_in.deliveries():
        try:
            simulated = scene.connectors.simulate(workspace=VISITOR.workspace, event_id=sample.delivery_id)
        except NotFoundError:
            continue
        yield from ((sample.delivery_id, each.event.kind) for each in simulated if each.now.stage is Stage.EXPLICIT)

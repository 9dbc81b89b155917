"""What would become of an event if mappings or policies were others; nothing is changed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping

from attrs import evolve, field, frozen
from sqlalchemy import Connection

from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..inbox.repository import find_by_delivery_id
from ..installations import repository as installations
from ..loading.registry import Registry
from ..mappings.types import Direction, ResourceMapping, Selector
from ..policy.schema import PolicySchema, schema_of
from ..policy.types import PolicyScope, Provenance
from ..providers.codec import converter
from ..providers.deliveries import Event
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..resources.hierarchy import Place
from ..resources.types import NEVER
from ..store.engine import Store
from . import repository
from .admission import open_cases
from .batch import Case, CaseBatch, Surroundings
from .decide import decide
from .loading import load
from .types import Conclusion, InstallationId

PROPOSED = "proposed"
"""What the ids and the author of mappings are that aren't there."""


@frozen(kw_only=True)
class ProposedMapping:
    """A mapping that isn't there.

    Attributes:
        installation_id: the installation that the resource is seen through.
        resource: its kind and immutable id.
        target: where its events would go.
        selector: which of them.
        direction: which way things would flow.

    >>> ProposedMapping(installation_id="i1", resource=ResourceReference(kind="board", id="b1"),
    ...                 target=Target(kind="project", id="apollo")).direction.value
    'both'
    """

    installation_id: str
    resource: ResourceReference
    target: Target
    selector: Selector = field(factory=Selector)
    direction: Direction = Direction.BOTH

    def as_mapping(self, workspace: str, number: int) -> ResourceMapping:
        """Return it as a mapping that was made after all others."""
        return ResourceMapping(
            workspace=workspace,
            id=f"{PROPOSED} {number}",
            installation_id=self.installation_id,
            resource_id=PROPOSED,
            resource_kind=self.resource.kind,
            resource_external_id=self.resource.id,
            resource_key=self.resource.key,
            target=self.target,
            selector=self.selector,
            direction=self.direction,
            created_by=PROPOSED,
            created_at=NEVER,
            updated_at=NEVER,
        )


@frozen(kw_only=True)
class ProposedPolicy:
    """Fields of a policy as somebody could set them.

    Attributes:
        scope: where: in the workspace, for an installation, or for a project.
        fields: field → value; None is "explicitly none".

    >>> scope = PolicyScope(workspace="w1", provider="acme", project_id="apollo")
    >>> ProposedPolicy(scope=scope, fields={"muted_kinds": ["star"]}).fields
    {'muted_kinds': ['star']}
    """

    scope: PolicyScope
    fields: Mapping[str, object]


@frozen(kw_only=True)
class Proposal:
    """How mappings and policies of a workspace could be changed.

    Attributes:
        add: mappings that aren't there.
        remove: ids of mappings that wouldn't be there any more; to change one, remove it and add what it becomes.
        policies: fields that would be set; a lock wins over them, as it would.

    >>> Proposal().is_empty
    True
    """

    add: tuple[ProposedMapping, ...] = ()
    remove: tuple[str, ...] = ()
    policies: tuple[ProposedPolicy, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is proposed."""
        return not self.add and not self.remove and not self.policies


@frozen(kw_only=True)
class Simulation:
    """What becomes of an event of one installation, and what would under a proposal.

    Attributes:
        installation_id: the installation.
        event: what happened.
        now: the conclusion by the state as it is.
        proposed: the conclusion by the state as it would be.
    """

    installation_id: str
    event: Event
    now: Conclusion
    proposed: Conclusion

    @property
    def differs(self) -> bool:
        """Whether the proposal changes anything for the event, were it only the explanation."""
        return self.now != self.proposed

    def lines(self) -> list[str]:
        """Return the difference in words."""
        if not self.differs:
            return list(_lines("now, and as proposed", self.now))
        return [*_lines("now", self.now), *_lines("proposed", self.proposed)]


def simulate(
    store: Store,
    registry: Registry,
    *,
    workspace: str,
    event_id: str = "",
    event: Event | None = None,
    installation_id: str = "",
    proposal: Proposal | None = None,
) -> tuple[Simulation, ...]:
    """Return what becomes of an event now, and under a proposal, for each of the installations it concerns.

    It runs in a transaction that can't write, and asks what the router asks.

    Args:
        store: the database.
        registry: the plugins.
        workspace: the workspace.
        event_id: id of a decided delivery, ours or the provider's; or empty where an event is given.
        event: what happens; or None where a delivery is named.
        installation_id: the installation that a given event comes through.
        proposal: how mappings and policies could be; as they are where not given.

    Raises:
        ConfigurationError: a proposed field isn't known, or its value isn't what it must be.
        NotFoundError: the workspace has no decision on such an event, or no such installation.
    """
    wanted = _checked(proposal or Proposal(), registry)
    with store.reading() as connection:
        happened = [(installation_id, event)] if event is not None else _decided(connection, workspace, event_id)
        cases = [case for each in happened for case in _cases(connection, registry, workspace, *each)]
        batch = load(connection, cases, proposed={each.target for each in wanted.add})
    batch = evolve(batch, handed_over=frozenset())  # what was handed over is decided again
    return tuple(
        Simulation(installation_id=case.key[1], event=case.event, now=before, proposed=after)
        for case, before, after in zip(cases, decide(batch), decide(_changed(batch, wanted)), strict=True)
        if case.event is not None
    )


def as_bytes(conclusion: Conclusion) -> bytes:
    """Return a conclusion as it is stored: equal conclusions give equal bytes."""
    return json.dumps(converter.unstructure(conclusion), ensure_ascii=False).encode()


def _checked(proposal: Proposal, registry: Registry) -> Proposal:
    """Return the proposal with its policies in the form in which they would be stored."""
    checked = tuple(
        evolve(each, fields=_schema(registry, each.scope).check(each.fields, subject=str(each.scope)))
        for each in proposal.policies
    )
    return evolve(proposal, policies=checked)


def _schema(registry: Registry, scope: PolicyScope) -> PolicySchema:
    return schema_of(registry.provider(scope.provider).manifest.policy)


def _decided(connection: Connection, workspace: str, event_id: str) -> list[tuple[str, Event]]:
    known = find_by_delivery_id(connection, event_id, workspace=workspace) or event_id
    found = [
        (decision.installation_id, decision.outcome)
        for decision in repository.find(connection, workspace=workspace, event_id=known)
        if decision.installation_id and isinstance(decision.outcome, Event)
    ]
    if not found:
        raise NotFoundError(
            "no decided event of that id concerns an installation of this workspace",
            subject=f"event {event_id}",
            remedy="take the id from a dispatch, a review item or the inbox, or give the event itself",
        )
    return found


def _cases(
    connection: Connection, registry: Registry, workspace: str, installation_id: str, event: Event
) -> list[Case]:
    installation = installations.get(connection, InstallationKey(workspace=workspace, id=installation_id))
    return open_cases(connection, installation, [event], registry.provider(installation.provider).manifest)


def _changed(batch: CaseBatch, proposal: Proposal) -> CaseBatch:
    """Return a batch with mappings and policies as they are proposed."""
    policies = batch.policies
    for each in proposal.policies:
        source = Provenance(level=each.scope.level, actor=PROPOSED)
        policies = policies.setting(each.scope, each.fields, source)
    surroundings = {key: _mapped(proposal, key, known) for key, known in batch.surroundings.items()}
    return evolve(batch, surroundings=surroundings, policies=policies)


def _mapped(proposal: Proposal, key: InstallationId, known: Surroundings) -> Surroundings:
    """Return the surroundings of an installation with the mappings that it would have."""
    workspace, installation_id = key
    mappings: dict[Place, list[ResourceMapping]] = defaultdict(list)
    for place, found in known.mappings.items():
        mappings[place] = [mapping for mapping in found if mapping.id not in proposal.remove]
    added = [each for each in proposal.add if each.installation_id == installation_id]
    for number, each in enumerate(added):
        mappings[each.resource.place].append(each.as_mapping(workspace, number))
    return evolve(known, mappings=mappings)


def _lines(title: str, conclusion: Conclusion) -> Iterator[str]:
    targets = ", ".join(str(routed.target) for routed in conclusion.targets)
    yield f"{title}: {conclusion.stage} by rule {conclusion.rule}{f' → {targets}' if targets else ''}"
    for evidence in conclusion.evidence:
        yield f"  {'against' if evidence.against else 'for'}: {evidence.text}"
    for routed in conclusion.targets:
        yield from routed.policy_lines()

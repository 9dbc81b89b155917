"""A batch: the cases that deliveries are, one an installation, with everything that they are decided by; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from attrs import field, frozen

from ..inbox.repository import StoredDelivery
from ..installations.statuses import InstallationStatus
from ..installations.types import Installation
from ..mappings.types import Direction, ResourceMapping
from ..policy.resolution import LoadedPolicies
from ..providers.deliveries import Event, Lifecycle, Outcome
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from ..providers.suggestions import Evidence
from ..resources.hierarchy import Place, lineage
from ..store.claims import Claim
from ..store.metadata import OPERATOR
from .inference import Knowledge
from .review.ignore_rules import IgnoreRule
from .types import NOTHING, InstallationId

RECEIVING = frozenset(
    {
        InstallationStatus.ACTIVE,
        InstallationStatus.DEGRADED,
        InstallationStatus.NEEDS_REAUTHORISATION,
        InstallationStatus.NEEDS_RECONSENT,
    }
)
"""The statuses in which events are handed on: a token that ended, or a scope that is missing, stops our calls to
the provider, not the provider's deliveries to us."""


@frozen(kw_only=True)
class Interpretation:
    """A claimed delivery, and what the plugin says it means.

    Attributes:
        claim: ours until the transaction that decides it has ended.
        delivery: the row of the inbox.
        app_id: the app of its endpoint; empty where that is no app's, or was removed and speaks for nothing.
        manifest: of the provider's plugin.
        outcome: what the delivery means.
    """

    claim: Claim
    delivery: StoredDelivery
    app_id: str
    manifest: Manifest
    outcome: Outcome

    @property
    def speaks_for_provider(self) -> bool:
        """Whether no customer holds the credential, so that it may report changes in any workspace."""
        return self.delivery.workspace == OPERATOR and not self.delivery.installation_id


@frozen(kw_only=True)
class Case:
    """A delivery and one installation that it concerns: what one decision is about.

    Attributes:
        key: the installation; without an id, and mostly the operator's, where none was found.
        provider: provider key.
        host: the provider's host.
        outcome: what the plugin said that the delivery means.
        manifest: of the provider's plugin.
        subject: what a review item of it is about: the most specific resource, or the sender.
        delivery: the row of the inbox; None for what has been stored as a decision, or is only simulated.
        installation: the installation, or None where none was found.
        event: the event, its resources with the ids that can be found; None for what isn't asked about.
        doubt: the rule by which a person looks at it, whatever is mapped; or empty.
        past: evidence of what became of it before; its explanation says that as well.
    """

    key: InstallationId
    provider: str
    host: str
    outcome: Event | Lifecycle
    manifest: Manifest
    subject: ResourceReference
    delivery: StoredDelivery | None = None
    installation: Installation | None = None
    event: Event | None = None
    doubt: str = ""
    past: tuple[Evidence, ...] = ()

    @classmethod
    def of_event(cls, installation: Installation, event: Event, manifest: Manifest) -> Case:
        """Return the case of an event that comes through an installation, its resources identified."""
        return cls(
            key=(installation.workspace, installation.id),
            provider=installation.provider,
            host=installation.host,
            outcome=event,
            manifest=manifest,
            subject=most_specific(manifest, event),
            installation=installation,
            event=event,
        )

    @property
    def repository(self) -> ResourceReference | None:
        """The one git repository that the event is most specifically about, or None."""
        git = {kind.name for kind in self.manifest.resource_kinds if kind.git}
        if self.event is None or self.subject.kind not in git:
            return None
        peers = {each.id for each in self.event.resources if each.kind == self.subject.kind}
        return self.subject if len(peers) == 1 else None


def most_specific(manifest: Manifest, outcome: Event | Lifecycle) -> ResourceReference:
    """Return the most specific of the resources that a delivery names, or an empty reference."""
    return min(outcome.resources, key=lambda reference: manifest.rank(reference.kind), default=NOTHING)


def sender(outcome: Event | Lifecycle) -> ResourceReference:
    """Return whom a delivery names as its sender: the account, else the provider's own installation."""
    account = outcome.account
    if account is not None:
        return ResourceReference(kind="account", id=account.id or account.url, key=account.name)
    return ResourceReference(kind="installation" if outcome.installation else "", id=outcome.installation)


@frozen(kw_only=True)
class SeenResource:
    """What the inventory knows of a resource that events name, or that contains one.

    Attributes:
        id: our id.
        key: its key as of the latest listing or delivery.
        archived: whether the provider says that it takes no more changes.
    """

    id: str
    key: str
    archived: bool


@frozen(kw_only=True)
class Surroundings:
    """What is known of the resources that the events of one installation name.

    Attributes:
        resources: those that are known, with those that contain them.
        parents: resource → what contains it.
        mappings: resource → its mappings, in whatever state and direction.
    """

    resources: Mapping[Place, SeenResource] = field(factory=dict)
    parents: Mapping[Place, Place] = field(factory=dict)
    mappings: Mapping[Place, Sequence[ResourceMapping]] = field(factory=dict)

    def places_of(self, event: Event) -> Iterator[tuple[ResourceReference, int, Place]]:
        """Yield each resource of an event with itself and all that contains it, and how far away that is."""
        for reference in {each.place: each for each in event.resources}.values():
            for distance, place in enumerate(lineage(reference.place, self.parents)):
                yield reference, distance, place

    def incoming(self, place: Place) -> list[ResourceMapping]:
        """Return the mappings of a resource by which events could go, the oldest first; not those outwards."""
        found = [each for each in self.mappings.get(place, ()) if each.direction is not Direction.OUT]
        return sorted(found, key=lambda mapping: mapping.id)

    def mappings_for(self, event: Event) -> list[ResourceMapping]:
        """Return all mappings by which an event could go."""
        return [mapping for _, _, place in self.places_of(event) for mapping in self.incoming(place)]


@frozen(kw_only=True)
class CaseBatch:
    """Cases that are decided together, in their order, and what decides them.

    Attributes:
        cases: the cases.
        surroundings: installation → what is known of the resources that its events name.
        knowledge: installation → what is known of the git repositories that nothing is mapped for.
        policies: what people set and locked of policies.
        ignore_rules: workspace → its rules, the oldest first.
        dismissed: installation and resource → each reason for which its item was dismissed, and in what words.
        handed_over: the effect keys of changes that targets were handed before.
    """

    cases: Sequence[Case]
    surroundings: Mapping[InstallationId, Surroundings] = field(factory=dict)
    knowledge: Mapping[InstallationId, Knowledge] = field(factory=dict)
    policies: LoadedPolicies = field(factory=LoadedPolicies)
    ignore_rules: Mapping[str, Sequence[IgnoreRule]] = field(factory=dict)
    dismissed: Mapping[tuple[InstallationId, Place], Mapping[str, str]] = field(factory=dict)
    handed_over: Set[str] = frozenset()

    def mappings_for(self, case: Case) -> list[ResourceMapping]:
        """Return all mappings by which the event of a case could go."""
        surroundings = self.surroundings.get(case.key, Surroundings())
        return surroundings.mappings_for(case.event) if case.event else []

"""What is to be decided: deliveries with what they mean, and the cases that they are, one an installation; pure."""

from __future__ import annotations

from attrs import frozen

from ..inbox.repository import StoredDelivery
from ..installations.statuses import InstallationStatus
from ..installations.types import Installation
from ..providers.deliveries import Event, Lifecycle, Outcome
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from ..providers.suggestions import Evidence
from ..store.claims import Claim
from ..store.metadata import OPERATOR
from .types import NOTHING

InstallationId = tuple[str, str]
"""The workspace of an installation, and our id of it."""

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
        workspace: whose decision it becomes; the operator's where no installation was found.
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

    workspace: str
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
            workspace=installation.workspace,
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

    @property
    def key(self) -> InstallationId:
        """The installation; its id is empty where none was found."""
        return self.workspace, self.installation.id if self.installation else ""


def most_specific(manifest: Manifest, outcome: Event | Lifecycle) -> ResourceReference:
    """Return the most specific of the resources that a delivery names, or an empty reference."""
    return min(outcome.resources, key=lambda reference: manifest.rank(reference.kind), default=NOTHING)


def sender(outcome: Event | Lifecycle) -> ResourceReference:
    """Return whom a delivery names as its sender: the account, else the provider's own installation."""
    account = outcome.account
    if account is not None:
        return ResourceReference(kind="account", id=account.id or account.url, key=account.name)
    return ResourceReference(kind="installation" if outcome.installation else "", id=outcome.installation)

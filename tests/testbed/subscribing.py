"""A provider whose webhooks are made through its API, and an account that is connected to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import evolve, frozen

from speckitty_connectors import Capability, Manifest, Refused, Resource, ResourceReference, Support, Target
from speckitty_connectors.contract.fake import MANIFEST
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import ResourceMapping
from speckitty_connectors.plugin import (
    PlainToken,
    SignatureScheme,
    StandardWebhooks,
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionRules,
    SubscriptionScope,
    SubscriptionStep,
    Unsubscribed,
    hookimpl,
)
from speckitty_connectors.subscriptions.types import SubscriptionResult

from .desk import Desk, Script
from .layers import add_resources

DAY = timedelta(days=1)
LIFETIME = timedelta(days=30)
REFUSED = Refused(code="no_plan", reason="The plan has no such webhooks.", remedy="Upgrade it.")


def subscribing(*scopes: SubscriptionScope, own_endpoint: bool = True) -> Manifest:
    """Return the manifest of a provider whose webhooks have these scopes, two schemes, and end after a while."""
    schemes: dict[str, SignatureScheme] = {"signed": StandardWebhooks(), "plain": PlainToken(header="X-Fake-Token")}
    rules = SubscriptionRules(
        scopes=scopes, own_endpoint=own_endpoint, renew_before_seconds=int(10 * DAY.total_seconds())
    )
    return evolve(
        MANIFEST,
        capabilities={**MANIFEST.capabilities, Capability.SUBSCRIBE: Support.full()},
        webhooks=evolve(MANIFEST.webhooks, schemes=schemes, subscriptions=rules),
    )


class Provider(Script):
    """The fake provider; its webhooks live in memory, and a test says what it refuses and how it fails."""

    def __init__(self, *scopes: SubscriptionScope, own_endpoint: bool = True) -> None:
        super().__init__(subscribing(*scopes, own_endpoint=own_endpoint))
        self.asked: list[Subscription] = []
        self.there: dict[str, str] = {}
        self.refused: set[str] = set()
        self.confirms = "signed"
        self.fault = ""
        self.expires_at: datetime | None = None
        self.on_register: Callable[[], object] = lambda: None
        self.failing: dict[SubscriptionStep, Exception] = {}
        self.failing_after: dict[SubscriptionStep, Exception] = {}

    def steps(self) -> list[str]:
        """Return the steps that were taken since the last call."""
        taken = [subscription.step.value for subscription in self.asked]
        self.asked.clear()
        return taken

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        self.asked.append(subscription)
        if subscription.step in self.failing:
            raise self.failing[subscription.step]
        answer = self._answer(subscription)
        if subscription.step in self.failing_after:
            raise self.failing_after[subscription.step]
        return answer

    def _answer(self, subscription: Subscription) -> SubscriptionAnswer:
        names = {resource.id for resource in subscription.resources} | {subscription.scope.value}
        if subscription.step is SubscriptionStep.REGISTER and names & self.refused:
            return REFUSED
        if subscription.step is SubscriptionStep.REGISTER:
            self.on_register()
            self.there[f"hook-{len(self.there) + 1}"] = subscription.url
        known = {url: name for name, url in self.there.items()}
        name = subscription.registration or known.get(subscription.url, "")
        if subscription.step is SubscriptionStep.REMOVE:
            self.there.pop(name, None)
        if name not in self.there:
            return Unsubscribed(reason="somebody deleted it")
        return Subscribed(registration=name, scheme=self.confirms, expires_at=self.expires_at, fault=self.fault)


@frozen(kw_only=True)
class Connected:
    """A connected account, and what was mapped in it."""

    desk: Desk
    plugin: Provider
    installation: Installation

    def sync(self) -> SubscriptionResult:
        """Make the webhooks what they should be."""
        return self.desk.subscriptions.sync(workspace="w1", installation_id=self.installation.id)

    def check(self) -> SubscriptionResult:
        """Read the webhooks back."""
        return self.desk.subscriptions.check(workspace="w1", installation_id=self.installation.id)

    def map(self, board: str) -> ResourceMapping:
        """Map a board."""
        add_resources(
            self.desk.store, self.installation, Resource(kind="board", id=board, key=board), at=self.desk.clock()
        )
        return Mappings(self.desk.store).create(
            workspace="w1",
            installation_id=self.installation.id,
            resource=ResourceReference(kind="board", id=board),
            target=Target(kind="project", id="apollo"),
            actor="member:mona",
        )

    def unmap(self, mapping: ResourceMapping) -> None:
        """Take a mapping back."""
        Mappings(self.desk.store).remove(workspace="w1", mapping_id=mapping.id, actor="member:mona")

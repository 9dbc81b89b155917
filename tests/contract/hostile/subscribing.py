"""Misbehaviours of `subscribe`."""

from __future__ import annotations

import requests
from attrs import evolve

from speckitty_connectors import ApiError, Capability
from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.plugin import (
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionStep,
    Unsubscribed,
    hookimpl,
)

from .boards import MANIFEST
from .switches import Hostile, switch, without

API = MANIFEST.hosts.urls.api


class Subscribing(Hostile):
    """Changes what an honest plugin would answer to a step about a webhook."""

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        """Answer, and misbehave."""
        return self.missubscribed(subscription, super().subscribe(subscription))

    def missubscribed(self, _: Subscription, honest: SubscriptionAnswer, /) -> SubscriptionAnswer:
        """Return the answer of the misbehaviour."""
        return honest


@switch("W01")
class ShowsNoRemoval(Hostile):
    """Is shown with no exchange that removes a webhook."""

    def shown_with(self, samples: Samples) -> Samples:
        """Leave them out."""
        return without(samples, Capability.SUBSCRIBE, lambda one: one.given.get("step") == "remove")


@switch("W02")
class NamesAnotherWebhook(Subscribing):
    """Says that another webhook is there."""

    def missubscribed(self, _: Subscription, honest: SubscriptionAnswer, /) -> SubscriptionAnswer:
        """Make up an id."""
        return evolve(honest, registration="another") if isinstance(honest, Subscribed) else honest


@switch("W03")
class TakesFailuresForGone(Hostile):
    """Says that a webhook is gone when the API fails."""

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        """Swallow the error."""
        try:
            return super().subscribe(subscription)
        except ApiError:
            return Unsubscribed(reason="somebody deleted it")


@switch("W04")
class TrustsTheShape(Hostile):
    """Reads a webhook without looking at what it is."""

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        """Read what may not be there."""
        if subscription.step is not SubscriptionStep.CHECK or subscription.session is None:
            return super().subscribe(subscription)
        found = subscription.session.get(f"/hooks/{subscription.registration}").json()
        return Subscribed(registration=found["id"])  # type: ignore[index]  # what it does wrongly


@switch("W05", and_so=("W02",))
class AsksOnItsOwnAboutWebhooks(Subscribing):
    """Asks the API without the session."""

    def missubscribed(self, _: Subscription, honest: SubscriptionAnswer, /) -> SubscriptionAnswer:
        """Ask."""
        try:
            requests.get(f"{API}/hooks", timeout=1)
        except OSError:
            return honest
        return honest


@switch("W06")
class TellsTheSecret(Subscribing):
    """Says the secret of a webhook in its answer."""

    def missubscribed(self, subscription: Subscription, honest: SubscriptionAnswer, /) -> SubscriptionAnswer:
        """Take it for a fault."""
        reveal = getattr(subscription.secret, "reveal", str)
        return evolve(honest, fault=f"signs by {reveal()}") if isinstance(honest, Subscribed) else honest


@switch("W07")
class MakesUpASecret(Hostile):
    """Registers a webhook with a secret of its own."""

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        """Leave core's secret out."""
        return super().subscribe(evolve(subscription, secret="of its own"))


@switch("W08", and_so=("T01", "T02"))
class CountsItsCalls(Subscribing):
    """Answers otherwise each time."""

    calls = 0

    def missubscribed(self, _: Subscription, honest: SubscriptionAnswer, /) -> SubscriptionAnswer:
        """Remember in the class how often it was asked."""
        type(self).calls += 1
        return evolve(honest, fault=f"call {self.calls}") if isinstance(honest, Subscribed) else honest

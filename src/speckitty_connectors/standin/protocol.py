"""Stand-ins: a provider's own side, small enough to run on loopback, for demos and end-to-end tests.

A plugin publishes a factory under the entry-point group `STAND_INS`, named by its provider key. Core drives what
the factory returns without knowing the provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Protocol, TypedDict, runtime_checkable
from wsgiref.types import WSGIApplication

from attrs import field, frozen

STAND_INS = "speckitty_connectors.standins.v1"
"""The entry-point group of stand-ins; the major version of this protocol is in its name."""


class StandInRegistration(TypedDict):
    """What registering the stand-in's app takes, besides the provider; its secrets are made up at the start.

    Keys:
        client_id, client_secret: as the operator would copy them from the provider's page.
        private_key: PEM, or None where the provider signs app tokens with none.
        webhook_secrets: what the provider signs deliveries with.
        base_url: where the stand-in is served, as of a self-managed host.
        settings: the public settings that the manifest asks for.
    """

    client_id: str
    client_secret: str
    private_key: str | None
    webhook_secrets: Sequence[str]
    base_url: str
    settings: Mapping[str, str]


@frozen(kw_only=True)
class SampleDelivery:
    """One delivery of the story that a stand-in tells, unsigned.

    Attributes:
        title: what happens, for a person, for example ``mona pushes to main``.
        kind: value of the manifest's kind header, or empty where the provider has none.
        delivery_id: value of the manifest's delivery-id header, or empty.
        content: the JSON document.
        headers: further headers that the provider would send.

    >>> SampleDelivery(title="a push", kind="push", delivery_id="1", content=b"{}").headers
    {}
    """

    title: str
    kind: str
    delivery_id: str
    content: bytes
    headers: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class StandInWebhook:
    """A webhook that was made through a stand-in's API.

    Attributes:
        url: where it posts to.
        secret: what it signs with.
        scheme: name of the manifest's scheme that it signs by.

    >>> StandInWebhook(url="http://127.0.0.1/webhooks/acme/e1", secret="s", scheme="secret")
    StandInWebhook(url='http://127.0.0.1/webhooks/acme/e1', scheme='secret')
    """

    url: str
    secret: str = field(repr=False)
    scheme: str


class StandIn(Protocol):
    """A running stand-in; it keeps its codes and tokens in memory and speaks to nobody."""

    @property
    def application(self) -> WSGIApplication:
        """The provider's pages and API: the install page agrees at once, and so does the authorisation page."""
        ...

    def registration(self, base_url: str) -> StandInRegistration:
        """Return what its app is registered with, once it is known where the stand-in is served."""
        ...

    def deliveries(self) -> Sequence[SampleDelivery]:
        """Return the story, in order; it happens now, so ask when it is to be sent.

        An event of the first resource of the listing, one of the second, a kind that is ignored, a renamed
        resource, and an installation that is suspended and resumed, or uninstalled; where resources are git
        repositories, a push to the third, too.
        """
        ...


@runtime_checkable
class SubscribedStandIn(Protocol):
    """A stand-in of a provider whose webhooks are made through its API."""

    def webhooks(self) -> Sequence[StandInWebhook]:
        """Return those that there are, the oldest first."""
        ...


class StandInFactory(Protocol):
    """What the entry point names.

    One with a true attribute ``own_host`` is served in place of the provider's own host, all others as a
    self-managed host.
    """

    def __call__(self, *, setup_url: str, callback_url: str) -> StandIn:
        """Return a new stand-in whose app has these addresses.

        Args:
            setup_url: where the browser lands after an installation.
            callback_url: where it lands after an authorisation; other addresses are refused.
        """
        ...


def stand_ins() -> dict[str, StandInFactory]:
    """Return the factories of all installed stand-ins by provider key, in the order of the keys."""
    found = sorted(entry_points(group=STAND_INS), key=lambda entry: entry.name)
    return {entry.name: entry.load() for entry in found}

"""A loaded provider: its manifest, and its hooks bound once so that a call costs nothing extra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from attrs import evolve

from ..errors import ConnectorsError
from ..providers.accounts import BaseUrls
from ..providers.api import Listing
from ..providers.conversations import Conversation, InstallAnswer, LinkAnswer
from ..providers.deliveries import Delivery, Outcome
from ..providers.manifest import Capability, Manifest
from ..providers.resources import ResourcePage
from ..providers.subscriptions import Subscription, SubscriptionAnswer
from ..providers.suggestions import Suggestion, SuggestionRequest
from .checks import ARGUMENT_NAMES, plugin_manager
from .discovery import PluginEntryPoint


class CapabilityUnsupportedError(ConnectorsError):
    """The plugin's manifest says that it can't do this."""

    code = "capability_unsupported"


class Provider:
    """A provider whose plugin is loaded and checked.

    Each hook takes one positional argument. It is the plugin's own function until the host wraps that
    hook, and pluggy's caller from then on: look it up on this object at each call, don't keep it.

    Attributes:
        key: provider key.
        manifest: what the plugin declares about itself.
        label: name and version of the distribution, for messages.

    >>> from speckitty_connectors.contract.fake import FakeProvider
    >>> from speckitty_connectors.loading.registry import Registry
    >>> fake = Registry(entry_points=()).register(FakeProvider())
    >>> fake.key, fake.supports(Capability.LINK_USER)
    ('fake', True)
    """

    install: Callable[[Conversation], InstallAnswer]
    link_user: Callable[[Conversation], LinkAnswer]
    list_resources: Callable[[Listing], Iterator[ResourcePage]]
    suggest_mappings: Callable[[SuggestionRequest], Sequence[Suggestion]]
    route_event: Callable[[Delivery], Outcome]
    subscribe: Callable[[Subscription], SubscriptionAnswer]

    def __init__(self, plugin: object, manifest: Manifest, found: PluginEntryPoint) -> None:
        self.key = manifest.provider
        self.manifest = manifest
        self.label = found.label
        self._plugin = plugin
        self._manager = plugin_manager()
        self._manager.register(plugin)
        self._bind()

    def __repr__(self) -> str:
        return f"<Provider {self.key} of {self.label}>"

    def supports(self, capability: Capability) -> bool:
        """Return whether the plugin has this capability, fully or in part."""
        return self.manifest.capabilities[capability].level != "unsupported"

    def relocate(self, base_url: str) -> None:
        """Reach the provider's own host, all of it, at another address: that of a stand-in, for demos and tests."""
        urls = self.manifest.hosts.urls
        account_api = urls.account_api.replace(urls.api, base_url)
        moved = BaseUrls(web=base_url, api=base_url, account_api=account_api)
        self.manifest = evolve(self.manifest, hosts=evolve(self.manifest.hosts, urls=moved))

    def wrap(self, wrapper: object) -> None:
        """Put a checked wrapper around the hooks that it names; the last one added is the outermost."""
        self._manager.register(wrapper)
        self._bind()

    def _bind(self) -> None:
        for capability in Capability:
            setattr(self, capability, self._bound(capability))

    def _bound(self, capability: Capability) -> Callable[[Any], Any]:
        if not self.supports(capability):
            return lambda _: self._refuse(capability)
        caller = getattr(self._manager.hook, capability)
        hooks = caller.get_hookimpls()
        if len(hooks) == 1:
            method: Callable[[Any], Any] = hooks[0].function
            return method
        argument_name = ARGUMENT_NAMES[capability]
        return lambda argument: caller(**{argument_name: argument})

    def _refuse(self, capability: Capability) -> NoReturn:
        reason = self.manifest.capabilities[capability].reason
        raise CapabilityUnsupportedError(
            f"{self.manifest.title} doesn't support {capability}" + (f": {reason}" if reason else ""),
            subject=f"provider {self.key}",
            remedy="ask Provider.supports before calling",
        )

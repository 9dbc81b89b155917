"""The plugin under test, and all that the rules need to judge it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache, cached_property
from itertools import islice
from typing import Any, Final

from attrs import frozen

from ..errors import ConnectorsError
from ..inbox.accept import Reception
from ..inbox.request import readable_content
from ..loading.binding import Provider
from ..loading.discovery import GROUP, PluginEntryPoint, address_of, discover
from ..loading.registry import Registry
from ..providers.deliveries import Delivery, Outcome
from ..providers.manifest import Capability, Manifest
from ..providers.signatures import SignatureScheme
from .receiver import NOW, Receiver
from .recordings import Recording
from .rules import Nothing, Over, require
from .scenario_player import Interference, PlayedScenario, as_recorded, playing
from .scenarios import Scenario

MOST_PAGES: Final = 1000
"""Where a listing of a few recorded exchanges is given up."""


@frozen(kw_only=True)
class Samples:
    """What a plugin is shown with."""

    deliveries: tuple[Recording, ...] = ()
    scenarios: tuple[Scenario, ...] = ()


@frozen(kw_only=True)
class SchemeCase:
    """One of the manifest's signature schemes."""

    name: str
    scheme: SignatureScheme


RuleCase = Recording | Scenario | SchemeCase


class Subject:
    """One plugin under test."""

    def __init__(self, plugin: object, samples: Samples) -> None:
        self.plugin = plugin
        self.samples = samples
        self.registry = Registry(entry_points=())

    @cached_property
    def provider(self) -> Provider:
        """The plugin as core binds it."""
        return self.registry.register(self.plugin)

    @cached_property
    def fault(self) -> str:
        """Why core wouldn't take the plugin, or empty."""
        try:
            self.provider  # noqa: B018 - binding it is the question
        except ConnectorsError as error:
            return str(error)
        return ""

    @property
    def manifest(self) -> Manifest:
        """What the plugin declares."""
        return self.provider.manifest

    @cached_property
    def receiver(self) -> Receiver:
        """An inbox that knows the plugin."""
        return Receiver(self.manifest, self.registry)

    @cached_property
    def published(self) -> PluginEntryPoint | None:
        """Where the plugin is published, or None where no installed distribution does."""
        key = getattr(getattr(self.plugin, "manifest", None), "provider", "")
        for found in claims(key):
            with suppress(Exception):  # whatever another plugin's import raises, it is not this one
                if found.load() is self.plugin:
                    return found
        return None

    @property
    def label(self) -> str:
        """Name and version of the plugin, for a sentence."""
        return self.published.label if self.published else address_of(self.plugin)

    def cases(self, over: Over) -> Sequence[RuleCase | Nothing]:
        """Return what a rule is judged for; never nothing, so that no rule vanishes."""
        if over is Over.SCHEMES:
            schemes = {} if self.fault else self.manifest.webhooks.schemes
            cases = [SchemeCase(name=name, scheme=scheme) for name, scheme in schemes.items()]
            return cases or [Nothing(name="none", instead="M01")]
        if over is Over.DELIVERIES:
            return self.samples.deliveries or [Nothing(name="none", instead="E01")]
        if over is Over.EXCHANGES:
            played = [one for one in self.samples.scenarios if not self.fault and self.supports(one.hook)]
            return played or [Nothing(name="none", instead="I01")]
        hook, instead = _HOOKS[over]
        return self.scenarios(hook) or [Nothing(name="none", instead=instead)]

    def scenarios(self, hook: Capability) -> list[Scenario]:
        """Return the scenarios of a hook."""
        return [scenario for scenario in self.samples.scenarios if scenario.hook is hook]

    def delivery(self, recording: Recording, *, body: bytes | None = None, **changes: object) -> Delivery:
        """Return a recording as `route_event` would get it from core."""
        reception = Reception.of(self.manifest, None)
        headers = {name.lower(): value for name, value in recording.headers.items()}
        media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        content = readable_content(
            media_type, recording.body if body is None else body, form_field=reception.rules.form_field
        )
        values: dict[str, object] = {
            "provider": self.manifest.provider,
            "host": self.manifest.hosts.default,
            "kind": reception.kind(headers),
            "content": content.document,
            "fields": content.fields,
            "headers": {name: value for name, value in headers.items() if name in reception.kept},
            "received_at": NOW,
        }
        return Delivery(**{**values, **changes})  # type: ignore[arg-type]  # the values of a rule

    def route(self, recording: Recording, *, body: bytes | None = None, **changes: object) -> Outcome:
        """Ask the plugin what a recording means."""
        return self.provider.route_event(self.delivery(recording, body=body, **changes))

    def ask(self, scenario: Scenario, interfere: Interference = as_recorded) -> tuple[Any, PlayedScenario]:
        """Call a scenario's hook while the API answers from it; return the answer, of a listing its pages."""
        with playing(self.manifest, scenario, interfere) as played:
            return self.call(played), played

    def call(self, played: PlayedScenario) -> Any:
        """Call the hook of a scenario that is being played; return the answer, of a listing its pages."""
        answer = getattr(self.provider, played.scenario.hook)(played.argument)
        if played.scenario.hook is not Capability.LIST_RESOURCES:
            return answer
        pages = list(islice(answer, MOST_PAGES))
        require(len(pages) < MOST_PAGES, f"yielded {MOST_PAGES} pages without an end")
        return pages

    def supports(self, capability: Capability) -> bool:
        """Say whether the plugin declares a capability."""
        return self.provider.supports(capability)

    def close(self) -> None:
        """Give back what was opened; whatever is needed again is opened again."""
        opened = vars(self).pop("receiver", None)
        if opened is not None:
            opened.close()


_HOOKS = {
    Over.INSTALLS: (Capability.INSTALL, "I01"),
    Over.LINKS: (Capability.LINK_USER, "I11"),
    Over.LISTINGS: (Capability.LIST_RESOURCES, "L01"),
    Over.SUBSCRIPTIONS: (Capability.SUBSCRIBE, "W01"),
}


def claims(key: str) -> list[PluginEntryPoint]:
    """Return the entry points of installed distributions that claim a provider key."""
    return [found for found in _installed() if found.provider == key and found.group == GROUP]


@cache
def _installed() -> tuple[PluginEntryPoint, ...]:
    return discover()

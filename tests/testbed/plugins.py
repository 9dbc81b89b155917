"""Plugins made in memory, importable as if a distribution had brought them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs

from speckitty_connectors import Capability, Manifest, Support
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.loading.discovery import PluginEntryPoint

Install = Callable[[str, Callable[[], object]], PluginEntryPoint]
"""Makes a plugin importable under a provider key, and returns the entry point that names it."""


class PluginModule(ModuleType):
    """A module that makes its attribute ``plugin`` by a call, and counts how often it was asked."""

    def __init__(self, name: str, make: Callable[[], object]) -> None:
        super().__init__(name)
        self.make = make
        self.loads = 0

    def __getattr__(self, name: str) -> object:
        if name != "plugin":
            raise AttributeError(name)
        self.loads += 1
        return self.make()


def loads(entry_point: PluginEntryPoint) -> int:
    """Return how often the plugin of an entry point was loaded."""
    module = sys.modules[entry_point.value.partition(":")[0]]
    assert isinstance(module, PluginModule)
    return module.loads


def manifest(key: str, **changes: Any) -> Manifest:
    """Return the fake provider's manifest under another key, with these changes."""
    return attrs.evolve(MANIFEST, provider=key, **changes)


def fake(key: str) -> Callable[[], object]:
    """Return what makes a plugin like the fake provider, under another key."""

    def make() -> object:
        plugin = FakeProvider()
        plugin.manifest = manifest(key)
        return plugin

    return make


def mute() -> object:
    """Return a plugin of the key ``mute`` that has no hook, and says so."""
    nothing = dict.fromkeys(Capability, Support.unsupported("it is mute"))
    return SimpleNamespace(manifest=manifest("mute", capabilities=nothing))

"""Makes plugins importable for one test."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from speckitty_connectors.loading.discovery import PluginEntryPoint
from testbed.plugins import Install, PluginModule


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a plugin importable under a provider key, and return the entry point that names it."""

    def install(key: str, make: Callable[[], object]) -> PluginEntryPoint:
        module = PluginModule(f"acme_{key}", make)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        value = f"{module.__name__}:plugin"
        return PluginEntryPoint(provider=key, value=value, distribution=f"acme-{key}", version="1.0")

    return install

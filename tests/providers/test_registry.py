"""Loading, choosing and registering plugins, in one process."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import attrs
import pytest

from speckitty_connectors import Capability, ConfigurationError, ConflictError, Ignored, Support
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.loading.binding import CapabilityUnsupportedError
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.loading.statuses import PluginUnavailableError
from speckitty_connectors.plugin import Delivery, hookimpl
from testbed.plugins import Install, fake, loads, manifest, mute

DELIVERY = Delivery(
    provider="fake", host="fake.example", kind="card", content=b"[]", received_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def test_a_plugin_is_loaded_when_first_asked_for_and_once(install: Install) -> None:
    """A provider is loaded at the first request for it, once, and alone."""
    red, blue = install("red", fake("red")), install("blue", fake("blue"))
    registry = Registry(entry_points=[red, blue])
    assert registry.provider("red") is registry.provider("red")
    assert (loads(red), loads(blue)) == (1, 0)
    assert [(status.provider, status.state) for status in registry.statuses()] == [
        ("red", "active"),
        ("blue", "available"),
    ]


def test_threads_share_one_load(install: Install) -> None:
    """Threads that ask for one provider at the same time get the same object from one load."""
    together = threading.Barrier(8, timeout=30)

    def make_while_others_ask() -> object:
        for _ in range(100):
            time.sleep(0)  # lets the other threads run
        return fake("red")()

    def ask(_: int) -> object:
        together.wait()
        return registry.provider("red")

    red = install("red", make_while_others_ask)
    registry = Registry(entry_points=[red])
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1
    assert loads(red) == 1


def test_a_failed_plugin_is_not_tried_again(install: Install) -> None:
    """A plugin that failed once isn't loaded a second time, and the error repeats its reason and remedy."""
    red = install("red", object)
    registry = Registry(entry_points=[red])
    for _ in range(2):
        with pytest.raises(PluginUnavailableError) as caught:
            registry.provider("red")
    assert loads(red) == 1
    assert caught.value.code == "plugin_unavailable"
    assert "acme-red 1.0 offers a object without a manifest" in str(caught.value)
    assert "uninstall acme-red" in caught.value.remedy


def interrupt() -> object:
    """Act as if a person pressed Ctrl-C."""
    raise KeyboardInterrupt


def test_an_interrupt_is_not_swallowed(install: Install) -> None:
    """Ctrl-C during a plugin's import stops the host, and the plugin can be loaded afterwards."""
    steps = iter([interrupt, fake("red")])
    registry = Registry(entry_points=[install("red", lambda: next(steps)())])  # noqa: PLW0108 - one step a load
    with pytest.raises(KeyboardInterrupt):
        registry.provider("red")
    assert registry.provider("red").key == "red"


def test_an_unknown_provider_names_what_is_installed(install: Install) -> None:
    """Asking for a provider without a plugin says which ones are installed."""
    registry = Registry(entry_points=[install("red", fake("red"))])
    with pytest.raises(PluginUnavailableError, match="providers installed now: red"):
        registry.provider("green")


def test_only_allowed_plugins_are_loaded(install: Install) -> None:
    """With an allow-list, which names provider keys, every other installed plugin is disabled."""
    red, blue = install("red", fake("red")), install("blue", fake("blue"))
    registry = Registry(allow=["red"], entry_points=[red, blue])
    assert [provider.key for provider in registry.providers()] == ["red"]
    with pytest.raises(PluginUnavailableError, match=r"add 'blue' to plugins\.allow"):
        registry.provider("blue")
    assert loads(blue) == 0


def test_blocked_plugins_are_not_loaded(install: Install) -> None:
    """A blocked plugin isn't loaded even where it is allowed too."""
    red = install("red", fake("red"))
    registry = Registry(allow=["red"], block=["red"], entry_points=[red])
    assert [status.state for status in registry.check()] == ["disabled"]
    assert loads(red) == 0


@pytest.mark.parametrize("setting", ["allow", "block"])
@pytest.mark.parametrize("names", [["speckitty-connectors-github"], "github"])
def test_lists_name_provider_keys(setting: str, names: Any) -> None:
    """A distribution's name in a list, or a bare text instead of a list, is refused instead of ignored."""
    with pytest.raises(ConfigurationError, match=f"plugins.{setting}"):
        Registry(entry_points=[], **{setting: names})


def test_statuses_are_json(install: Install) -> None:
    """The statuses can be written as JSON as they are."""
    registry = Registry(entry_points=[install("red", fake("red"))])
    [document] = json.loads(json.dumps([attrs.asdict(status) for status in registry.check()]))
    assert document == {
        "provider": "red",
        "state": "active",
        "distribution": "acme-red",
        "version": "1.0",
        "entry_point": "acme_red:plugin",
        "reason": "acme-red 1.0 is loaded",
        "remedy": "",
    }


def test_a_host_registers_its_own_plugin() -> None:
    """A plugin object of the host's own process is usable at once, whatever the allow-list says."""
    registry = Registry(allow=[], entry_points=[])
    assert registry.register(FakeProvider()) is registry.provider("fake")
    [status] = registry.statuses()
    assert (status.state, status.entry_point) == ("active", "speckitty_connectors.contract.fake:FakeProvider")


def test_a_broken_plugin_of_the_host_is_refused_at_once() -> None:
    """Registering an object that breaks the contract raises and leaves nothing behind."""
    registry = Registry(entry_points=[])
    with pytest.raises(PluginUnavailableError, match="without a manifest"):
        registry.register(object())
    assert registry.statuses() == ()


def test_a_second_plugin_of_one_key_is_refused(install: Install) -> None:
    """The host can't register a plugin whose key an installed one claims, unless that one is blocked."""
    installed = install("fake", fake("fake"))
    with pytest.raises(ConflictError, match=r"acme-fake 1\.0"):
        Registry(entry_points=[installed]).register(FakeProvider())
    registry = Registry(block=["fake"], entry_points=[installed])
    registry.register(FakeProvider())
    assert registry.provider("fake").key == "fake"


def test_a_module_can_be_the_plugin_object(install: Install) -> None:
    """A module with a manifest and marked functions is a plugin too."""
    module = ModuleType("acme_module")
    unsupported = {**dict.fromkeys(Capability, Support.unsupported("no")), Capability.ROUTE_EVENT: Support.full()}

    @hookimpl
    def route_event(delivery: Delivery) -> Ignored:
        return Ignored(reason=delivery.kind)

    vars(module).update(manifest=manifest("red", capabilities=unsupported), route_event=route_event)
    registry = Registry(entry_points=[install("red", lambda: module)])
    assert registry.provider("red").route_event(DELIVERY) == Ignored(reason="card")


def test_hooks_are_the_plugins_own_methods() -> None:
    """While nothing is wrapped, a provider's hook is the plugin's bound method itself."""
    plugin = FakeProvider()
    provider = Registry(entry_points=[]).register(plugin)
    assert provider.route_event == plugin.route_event
    assert provider.install == plugin.install


def test_an_unsupported_hook_says_why(install: Install) -> None:
    """Calling what the manifest declares unsupported raises an error with the manifest's reason."""
    provider = Registry(entry_points=[install("mute", mute)]).provider("mute")
    assert not provider.supports(Capability.ROUTE_EVENT)
    with pytest.raises(CapabilityUnsupportedError, match="doesn't support route_event: it is mute"):
        provider.route_event(DELIVERY)


def test_an_optional_hook_of_a_newer_core_is_no_fault(install: Install) -> None:
    """A hook that this core doesn't know yet is accepted when the plugin marks it as optional."""

    class Modern(FakeProvider):
        manifest = manifest("red")

        @hookimpl(optionalhook=True)
        def forecast(self, delivery: Delivery) -> None: ...

    assert Registry(entry_points=[install("red", Modern)]).provider("red").key == "red"

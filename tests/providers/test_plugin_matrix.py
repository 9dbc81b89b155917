"""Plugins broken in every way we know of, installed for real beside a good one, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from testbed.distributions import write_distribution

HEADER = """
import sys
from attrs import evolve
from speckitty_connectors import Capability, Support
from speckitty_connectors.plugin import hookimpl
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
"""

SUBCLASS = """
class Plugin(FakeProvider):
    manifest = evolve(MANIFEST, provider={key!r}{changes})
{body}
plugin = Plugin()
"""


def subclass(key: str, body: str = "", **changes: str) -> str:
    """Return the source of a plugin that is the fake provider but for these changes."""
    changed = "".join(f", {name}={value}" for name, value in changes.items())
    return HEADER + SUBCLASS.format(key=key, changes=changed, body=body)


PLUGINS = {
    "good": subclass("good"),
    "raises": "raise RuntimeError('boom\\nand more')",
    "leaves": "import sys; sys.exit(3)",
    "closes": "raise GeneratorExit",
    "speechless": "class Mute(Exception):\n    def __str__(self): raise SystemExit\nraise Mute",
    "unparsable": "def (:\n",
    "missing_object": "",
    "misspelled": subclass("misspelled", "    @hookimpl\n    def route_events(self, delivery): ..."),
    "greedy": subclass("greedy", "    @hookimpl\n    def install(self, conversation, project): ..."),
    "careless": subclass("careless", "    @hookimpl\n    def install(self): ..."),
    "waiting": subclass("waiting", "    @hookimpl\n    async def route_event(self, delivery): ..."),
    "wrapping": subclass("wrapping", "    @hookimpl(wrapper=True)\n    def install(self, conversation): yield"),
    "bare": "class Plugin: ...\nplugin = Plugin()",
    "untyped": "class Plugin:\n    manifest = {'provider': 'untyped'}\nplugin = Plugin()",
    "classy": subclass("classy") + "plugin = Plugin",
    "renamed": subclass("another"),
    "promising": HEADER + "class Plugin:\n    manifest = evolve(MANIFEST, provider='promising')\nplugin = Plugin()",
    "unmarked": subclass("unmarked", "    def install(self, conversation): ..."),
    "secretive": subclass(
        "secretive",
        capabilities="{**MANIFEST.capabilities, Capability.LINK_USER: Support.unsupported('no people')}",
    ),
    "newer": subclass("newer", contract_minor="99"),
    "blocked": subclass("blocked"),
}
"""Provider key → source of its module; each is a distribution of its own."""

REASONS = {
    "good": ("active", "acme-good 1.0 is loaded"),
    "raises": ("failed", "acme-raises 1.0 can't be loaded from plugin_raises:plugin: RuntimeError: boom and more"),
    "leaves": ("failed", "acme-leaves 1.0 can't be loaded from plugin_leaves:plugin: SystemExit: 3"),
    "closes": ("failed", "acme-closes 1.0 can't be loaded from plugin_closes:plugin: GeneratorExit"),
    "speechless": ("failed", "acme-speechless 1.0 can't be loaded from plugin_speechless:plugin: Mute"),
    "unparsable": ("failed", "SyntaxError: invalid syntax (plugin_unparsable.py, line 1)"),
    "missing_object": ("failed", "AttributeError: module 'plugin_missing_object' has no attribute 'plugin'"),
    "misspelled": ("failed", "implements the unknown hook route_events; did you mean route_event?"),
    "greedy": ("failed", "wrong arguments in install (conversation, project); it takes exactly one: conversation"),
    "careless": ("failed", "takes wrong arguments in install (none); it takes exactly one: conversation"),
    "waiting": ("failed", "declares route_event as async; hooks are called without an event loop"),
    "wrapping": ("failed", "declares install as a wrapper; only the host wraps hooks"),
    "bare": ("failed", "acme-bare 1.0 offers a Plugin without a manifest"),
    "untyped": ("failed", "acme-untyped 1.0 has a manifest of type dict; it must be a Manifest"),
    "classy": ("failed", "acme-classy 1.0 offers the class Plugin; an entry point names a module or an object"),
    "renamed": ("failed", "names its provider 'another' but its entry point 'renamed'"),
    "promising": ("failed", "acme-promising 1.0 declares install as full but has no such hook"),
    "unmarked": ("failed", "declares install as full but has no such hook; its install lacks @hookimpl"),
    "secretive": ("failed", "acme-secretive 1.0 declares link_user as unsupported but has a hook for it"),
    "newer": ("incompatible", "acme-newer 1.0 is written for contract 1.99; this core knows 1.0"),
    "blocked": ("disabled", "acme-blocked 1.0 is blocked by the settings"),
    "future": ("incompatible", "acme-future 1.0 is built for contract 2; this core speaks 1"),
    "contested": ("ambiguous", "claimed by acme-one 1.0 (plugin_one:plugin) and acme-two 1.0 (plugin_two:plugin)"),
    "": ("failed", "acme-garbled 1.0 can't be used: its entry_points.txt can't be read"),
}
"""Provider key → the state that its plugin gets, and what its reason says."""

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import attrs
from speckitty_connectors.loading.registry import Registry

def imported():
    return sorted(name for name in sys.modules if name.startswith("plugin_"))

registry = Registry(block=("blocked",))
listed = [attrs.asdict(status) for status in registry.statuses()]
report = {"listed": listed, "imported_by_listing": imported()}
report["checked"] = [attrs.asdict(status) for status in registry.check()]
report["imported_by_check"] = imported()
report["usable"] = [provider.key for provider in registry.providers()]
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a fresh process says of the plugins that are installed in one folder of its ``sys.path``."""
    folder = tmp_path_factory.mktemp("site")
    modules = {**{key: (key, key, 1) for key in PLUGINS}, "future": ("future", "future", 2)}
    modules |= {"one": ("one", "contested", 1), "two": ("two", "contested", 1)}
    for name, provider, major in modules.values():
        write_distribution(
            folder,
            f"acme-{name}".replace("_", "-"),
            entry_points=f"[speckitty_connectors.v{major}]\n{provider} = plugin_{name}:plugin\n",
            modules={f"plugin_{name}": PLUGINS.get(name, subclass(provider))},
        )
    write_distribution(folder, "acme-garbled", entry_points="[speckitty_connectors.v1]\ngarbled\n")
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(folder)], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    document: dict[str, Any] = json.loads(process.stdout)
    return document


def of_acme(statuses: list[dict[str, str]]) -> list[dict[str, str]]:
    """Leave out the plugins that are installed where the tests run."""
    return [status for status in statuses if status["distribution"].startswith("acme-")]


def test_listing_imports_no_plugin(report: dict[str, Any]) -> None:
    """Listing the installed plugins imports none of them, and still tells what metadata and settings tell."""
    assert report["imported_by_listing"] == []
    states = {status["provider"]: status["state"] for status in of_acme(report["listed"])}
    known = {"blocked": "disabled", "future": "incompatible", "contested": "ambiguous", "": "failed"}
    assert states == {**dict.fromkeys(PLUGINS, "available"), **known}


def test_only_the_good_plugin_can_be_used(report: dict[str, Any]) -> None:
    """Among all the broken plugins the good one is usable, and no other is."""
    assert set(report["usable"]) & set(REASONS) == {"good"}


@pytest.mark.parametrize("provider", REASONS)
def test_each_plugin_gets_its_reason(report: dict[str, Any], provider: str) -> None:
    """Each plugin's status has its state, one line that says why, its distribution, and what to do."""
    statuses = [status for status in of_acme(report["checked"]) if status["provider"] == provider]
    state, reason = REASONS[provider]
    assert statuses
    for status in statuses:
        assert status["state"] == state
        assert reason in status["reason"]
        assert status["distribution"] in status["reason"]
        assert "\n" not in status["reason"]
        assert bool(status["remedy"]) == (state != "active")


def test_refused_plugins_are_never_imported(report: dict[str, Any]) -> None:
    """A plugin of another major, a blocked one and both claimants of one key are refused without an import."""
    refused = {"plugin_future", "plugin_blocked", "plugin_one", "plugin_two"}
    assert not refused & set(report["imported_by_check"])


def test_both_claimants_are_reported(report: dict[str, Any]) -> None:
    """Two distributions that claim one provider key are both listed as ambiguous."""
    claimants = [status for status in of_acme(report["checked"]) if status["provider"] == "contested"]
    assert [status["distribution"] for status in claimants] == ["acme-one", "acme-two"]

"""Checks a loaded plugin against the contract, so that a mistake is named before any hook is called."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator

import pluggy

from .. import hookspecs
from ..errors import ConfigurationError
from ..providers.manifest import CONTRACT_MAJOR, CONTRACT_MINOR, Capability, Manifest
from .statuses import PluginState


class PluginFaultError(Exception):
    """A plugin breaks the contract.

    Attributes:
        reason: what is wrong, to be read after the distribution's name.
        state: the state that the plugin gets.
        remedy: what to do, where it is something else than asking the plugin's authors.
    """

    def __init__(self, reason: str, *, state: PluginState = PluginState.FAILED, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.state = state
        self.remedy = remedy


def plugin_manager() -> pluggy.PluginManager:
    """Return a pluggy manager that knows the hooks; each provider has its own."""
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    return manager


def _argument_names() -> dict[str, str]:
    hooks = plugin_manager().hook
    return {hook: next(iter(getattr(hooks, hook).spec.argnames)) for hook in Capability}


ARGUMENT_NAMES = _argument_names()
"""Hook → the name of its one argument, read from the specs."""


def read_manifest(plugin: object) -> Manifest:
    """Return the plugin's manifest.

    Raises:
        PluginFaultError: there is none, it isn't a `Manifest`, or it is written for a newer contract.
    """
    if inspect.isclass(plugin):
        raise PluginFaultError(f"offers the class {plugin.__name__}; an entry point names a module or an object")
    manifest = getattr(plugin, "manifest", None)
    if manifest is None:
        raise PluginFaultError(f"offers a {type(plugin).__name__} without a manifest")
    if not isinstance(manifest, Manifest):
        raise PluginFaultError(f"has a manifest of type {type(manifest).__name__}; it must be a Manifest")
    if manifest.contract_minor > CONTRACT_MINOR:
        raise PluginFaultError(
            f"is written for contract {CONTRACT_MAJOR}.{manifest.contract_minor}; "
            f"this core knows {CONTRACT_MAJOR}.{CONTRACT_MINOR}",
            state=PluginState.INCOMPATIBLE,
            remedy="upgrade speckitty-connectors",
        )
    return manifest


def check_hooks(plugin: object, manifest: Manifest) -> None:
    """Compare the plugin's hooks with the specs and with the capabilities that its manifest declares.

    Raises:
        PluginFaultError: a hook is misspelled, takes wrong arguments, is missing, or isn't declared.
    """
    hooks: dict[str, pluggy.HookImpl] = {}
    for name, hook in _marked_hooks(plugin):
        if name in hooks:
            raise PluginFaultError(f"has two hooks {name}")
        _check_shape(name, hook)
        hooks[name] = hook
    for capability, support in manifest.capabilities.items():
        if support.level != "unsupported" and capability not in hooks:
            unmarked = f"; its {capability} lacks @hookimpl" if hasattr(plugin, capability) else ""
            raise PluginFaultError(f"declares {capability} as {support.level} but has no such hook{unmarked}")
        if support.level == "unsupported" and capability in hooks:
            raise PluginFaultError(f"declares {capability} as unsupported but has a hook for it")
    if Capability.SUBSCRIBE in hooks and manifest.webhooks.subscriptions is None:
        raise PluginFaultError("has the hook subscribe but no subscriptions in its webhook rules")


def check_wrapper(wrapper: object) -> None:
    """Refuse a host's wrapper object that pluggy couldn't put around the hooks of a provider.

    Raises:
        ConfigurationError: it wraps nothing, names no known hook, or would answer in a provider's place.
    """
    try:
        hooks = list(_marked_hooks(wrapper))
        answering = [name for name, hook in hooks if not (hook.wrapper or hook.hookwrapper)]
        plugin_manager().register(wrapper)
    except (PluginFaultError, pluggy.PluginValidationError) as error:
        raise _unusable(wrapper, " ".join(str(error).split())) from None
    if answering or not hooks:
        raise _unusable(wrapper, f"it wraps nothing in {', '.join(answering)}" if answering else "it has no hook")


def _unusable(wrapper: object, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the hook wrapper can't be used: {reason}",
        subject=type(wrapper).__name__,
        remedy="mark generator methods that are named like hooks with @hookimpl(wrapper=True)",
    )


def _marked_hooks(marked: object) -> Iterator[tuple[str, pluggy.HookImpl]]:
    # No specs here: pluggy would stop at the first fault, in words for plugin frameworks' authors.
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.register(marked)
    for caller in manager.get_hookcallers(marked) or ():
        for hook in caller.get_hookimpls():
            if caller.name in ARGUMENT_NAMES:
                yield caller.name, hook
            elif not hook.optionalhook:
                near = difflib.get_close_matches(caller.name, ARGUMENT_NAMES, n=1)
                meant = f"did you mean {near[0]}?" if near else f"the hooks are {', '.join(ARGUMENT_NAMES)}"
                raise PluginFaultError(f"implements the unknown hook {caller.name}; {meant}")


def _check_shape(name: str, hook: pluggy.HookImpl) -> None:
    expected = ARGUMENT_NAMES[name]
    if hook.wrapper or hook.hookwrapper:
        raise PluginFaultError(f"declares {name} as a wrapper; only the host wraps hooks")
    if inspect.iscoroutinefunction(hook.function) or inspect.isasyncgenfunction(hook.function):
        raise PluginFaultError(f"declares {name} as async; hooks are called without an event loop")
    if tuple(hook.argnames) != (expected,):
        taken = ", ".join(hook.argnames) or "none"
        raise PluginFaultError(f"takes wrong arguments in {name} ({taken}); it takes exactly one: {expected}")

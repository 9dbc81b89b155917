"""Decides from metadata and settings alone which of the found plugins may be loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..errors import ConfigurationError
from ..providers.manifest import CONTRACT_MAJOR, KEY
from .discovery import GROUP, PluginEntryPoint
from .statuses import PluginState, PluginStatus


def admit(
    found: Iterable[PluginEntryPoint], *, allow: Collection[str] | None, block: Collection[str]
) -> dict[PluginEntryPoint, PluginStatus]:
    """Return the status of each plugin before any is loaded; those in state ``available`` may be.

    Raises:
        ConfigurationError: an entry of `allow` or `block` doesn't look like a provider key.
    """
    _require_keys("allow", allow or ())
    _require_keys("block", block)
    found = tuple(found)
    claims: defaultdict[str, list[PluginEntryPoint]] = defaultdict(list)
    for entry_point in found:
        if entry_point.group == GROUP and not entry_point.problem:
            claims[entry_point.provider].append(entry_point)
    return {entry_point: _status(entry_point, claims, allow, block) for entry_point in found}


def _require_keys(setting: str, keys: Collection[str]) -> None:
    for key in keys:
        if not KEY.fullmatch(key):
            raise ConfigurationError(
                f"plugins.{setting} names {key!r}, which is no provider key",
                subject="settings",
                remedy="name provider keys there, for example 'github', never distributions",
            )


def _status(
    entry_point: PluginEntryPoint,
    claims: Mapping[str, Sequence[PluginEntryPoint]],
    allow: Collection[str] | None,
    block: Collection[str],
) -> PluginStatus:
    key, label = entry_point.provider, entry_point.label
    if entry_point.problem:
        state, reason = PluginState.FAILED, f"{label} can't be used: {entry_point.problem}"
        remedy = f"reinstall or uninstall {entry_point.distribution}, and tell its authors"
    elif entry_point.group != GROUP:
        state = PluginState.INCOMPATIBLE
        reason = f"{label} is built for contract {entry_point.major}; this core speaks {CONTRACT_MAJOR}"
        remedy = f"install a version of it that is built for contract {CONTRACT_MAJOR}, or uninstall it"
    elif key in block:
        state, reason = PluginState.DISABLED, f"{label} is blocked by the settings"
        remedy = f"take {key!r} out of plugins.block to use it"
    elif allow is not None and key not in allow:
        state, reason = PluginState.DISABLED, f"{label} isn't among the plugins that the settings allow"
        remedy = f"add {key!r} to plugins.allow to use it"
    elif len(claims[key]) > 1:
        claimants = " and ".join(f"{claim.label} ({claim.value})" for claim in claims[key])
        state, reason = PluginState.AMBIGUOUS, f"{key!r} is claimed by {claimants}"
        remedy = "uninstall all but one of them"
    else:
        state, reason, remedy = PluginState.AVAILABLE, f"{label} is installed and not loaded yet", ""
    return PluginStatus.of(entry_point, state, reason, remedy)

"""What became of each plugin that was found, in words for the person who runs the host."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from attrs import frozen

from ..errors import ConnectorsError
from .discovery import PluginEntryPoint


class PluginState(StrEnum):
    """Whether a plugin can be used."""

    AVAILABLE = "available"
    ACTIVE = "active"
    DISABLED = "disabled"
    AMBIGUOUS = "ambiguous"
    INCOMPATIBLE = "incompatible"
    FAILED = "failed"


@frozen(kw_only=True)
class PluginStatus:
    """What became of one plugin; `attrs.asdict` makes a JSON document of it.

    Attributes:
        provider: provider key, or empty where the distribution's metadata can't be read.
        state: ``available`` is found and not loaded yet; only ``active`` and ``available`` can be used.
        distribution: name of the distribution; empty for a plugin that the host itself registered.
        version: version of the distribution, or empty.
        entry_point: ``module:object`` of the plugin.
        reason: one line that says why it is in this state.
        remedy: what to do about it, or empty where nothing needs to be done.

    >>> found = PluginEntryPoint(provider="acme", value="acme:plugin", distribution="acme-boards", version="1.2")
    >>> PluginStatus.of(found, PluginState.AVAILABLE, "acme-boards 1.2 is installed").state.value
    'available'
    """

    provider: str
    state: PluginState
    distribution: str
    version: str
    entry_point: str
    reason: str
    remedy: str = ""

    @classmethod
    def of(cls, found: PluginEntryPoint, state: PluginState, reason: str, remedy: str = "") -> PluginStatus:
        """Return the status of the plugin that was found there."""
        return cls(
            provider=found.provider,
            state=state,
            distribution=found.distribution,
            version=found.version,
            entry_point=found.value,
            reason=reason,
            remedy=remedy,
        )


class PluginUnavailableError(ConnectorsError):
    """No plugin for this provider can be used; the text is the reason that its status gives."""

    code = "plugin_unavailable"

    @classmethod
    def because(
        cls, provider: str, statuses: Iterable[PluginStatus], installed: Iterable[str]
    ) -> PluginUnavailableError:
        """Return the error for a provider whose plugins, if any, have these statuses."""
        known = list(statuses)
        reasons = "; ".join(status.reason for status in known) or "no plugin for this provider is installed"
        remedies = "; ".join(dict.fromkeys(status.remedy for status in known))
        installed_keys = ", ".join(sorted(set(installed))) or "none"
        return cls(
            reasons,
            subject=f"provider {provider!r:.60}",
            remedy=remedies
            or f"install a distribution that provides it; providers installed now: {installed_keys}",
        )

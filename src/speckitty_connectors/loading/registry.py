"""The plugins of this process: found without being imported, loaded one by one, each on its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable

from ..errors import ConfigurationError, ConflictError
from .admission import admit
from .binding import Provider
from .checks import PluginFaultError, check_hooks, check_wrapper, read_manifest
from .discovery import PluginEntryPoint, address_of, discover
from .statuses import PluginState, PluginStatus, PluginUnavailableError

logger = logging.getLogger(__name__)

REASON_LIMIT = 300
"""Longest text of a plugin's own error that a status repeats, in characters."""


class Registry:
    """Finds, checks, isolates and binds provider plugins.

    Making a registry reads the metadata of installed distributions and imports none of them. A plugin is
    imported when it is first asked for, once; whatever it raises then becomes its status. Safe to use from
    several threads.

    Args:
        allow: provider keys of the installed plugins that may be loaded; None for all.
        block: provider keys of installed plugins that are never loaded.
        entry_points: what to find instead of what is installed.

    Raises:
        ConfigurationError: an entry of `allow` or `block` doesn't look like a provider key.

    >>> from speckitty_connectors.contract.fake import FakeProvider
    >>> registry = Registry(entry_points=())
    >>> provider = registry.register(FakeProvider())
    >>> [(status.provider, status.state.value) for status in registry.statuses()]
    [('fake', 'active')]
    """

    def __init__(
        self,
        *,
        allow: Collection[str] | None = None,
        block: Collection[str] = (),
        entry_points: Iterable[PluginEntryPoint] | None = None,
    ) -> None:
        found = discover() if entry_points is None else entry_points
        self._statuses = admit(found, allow=allow, block=block)
        self._providers: dict[str, Provider] = {}
        self._wrappers: list[object] = []
        self._lock = threading.RLock()

    def statuses(self) -> tuple[PluginStatus, ...]:
        """Return what is known of each plugin, and import none."""
        with self._lock:
            return tuple(self._statuses.values())

    def check(self) -> tuple[PluginStatus, ...]:
        """Load every plugin that may be loaded, then return what became of each."""
        with self._lock:
            for found in tuple(self._statuses):
                self._load(found)
            return self.statuses()

    def providers(self) -> tuple[Provider, ...]:
        """Load every plugin that may be loaded, and return those that can be used."""
        with self._lock:
            self.check()
            return tuple(self._providers.values())

    def provider(self, key: str) -> Provider:
        """Return the provider of that key; its plugin is loaded when it is first asked for.

        Raises:
            PluginUnavailableError: no plugin for it can be used; the text says why and what to do.
        """
        known = self._providers.get(key)
        if known is not None:
            return known
        with self._lock:
            claims = [found for found in self._statuses if found.provider == key]
            for found in claims:
                self._load(found)
            if key not in self._providers:
                reasons = [self._statuses[found] for found in claims]
                raise PluginUnavailableError.because(key, reasons, (found.provider for found in self._statuses))
            return self._providers[key]

    def register(self, plugin: object) -> Provider:
        """Add a plugin of the host's own process, whatever `allow` and `block` say of installed ones.

        Raises:
            PluginUnavailableError: the plugin breaks the contract.
            ConflictError: another plugin claims that provider and isn't blocked.
        """
        value = address_of(plugin)
        try:
            manifest = read_manifest(plugin)
            check_hooks(plugin, manifest)
        except PluginFaultError as fault:
            raise PluginUnavailableError(
                f"the plugin {fault.reason}", subject=value, remedy=fault.remedy or "fix the plugin"
            ) from None
        found = PluginEntryPoint(provider=manifest.provider, value=value)
        with self._lock:
            self._refuse_second(found)
            self._activate(found, Provider(plugin, manifest, found), f"{value} is registered by the host")
            return self._providers[found.provider]

    def wrap(self, wrapper: object) -> None:
        """Put an object's ``@hookimpl(wrapper=True)`` methods around those hooks of every provider.

        It holds for providers that are loaded already and for those that come later. The wrapper of
        `list_resources` sees the iterator of pages before its first page is made.

        Raises:
            ConfigurationError: pluggy can't use the object as a wrapper, or it is registered already.
        """
        check_wrapper(wrapper)
        with self._lock:
            if wrapper in self._wrappers:
                raise ConfigurationError(
                    "the hook wrapper is registered already",
                    subject=type(wrapper).__name__,
                    remedy="register each wrapper once",
                )
            self._wrappers.append(wrapper)
            for provider in self._providers.values():
                provider.wrap(wrapper)

    def _load(self, found: PluginEntryPoint) -> None:
        if self._statuses[found].state is not PluginState.AVAILABLE:
            return
        try:
            self._activate(found, _load_provider(found), f"{found.label} is loaded")
        except KeyboardInterrupt:
            raise
        except PluginFaultError as fault:
            self._fail(found, f"{found.label} {fault.reason}", state=fault.state, remedy=fault.remedy)
        except BaseException as error:  # noqa: BLE001 - foreign code may raise anything, SystemExit too
            self._fail(found, f"{found.label} can't be loaded from {found.value}: {_one_line(error)}", error=error)

    def _fail(
        self,
        found: PluginEntryPoint,
        reason: str,
        *,
        state: PluginState = PluginState.FAILED,
        remedy: str = "",
        error: BaseException | None = None,
    ) -> None:
        advice = f"upgrade, block or uninstall {found.distribution or found.value}, and tell its authors"
        self._statuses[found] = PluginStatus.of(found, state, reason, remedy or advice)
        logger.warning("plugin not used: %s", reason, exc_info=error)

    def _activate(self, found: PluginEntryPoint, provider: Provider, reason: str) -> None:
        for wrapper in self._wrappers:
            provider.wrap(wrapper)
        self._providers[found.provider] = provider
        self._statuses[found] = PluginStatus.of(found, PluginState.ACTIVE, reason)

    def _refuse_second(self, found: PluginEntryPoint) -> None:
        for status in self._statuses.values():
            unusable = status.state in {PluginState.DISABLED, PluginState.INCOMPATIBLE}
            if status.provider == found.provider and not unusable:
                raise ConflictError(
                    f"another plugin claims this provider: {status.reason}",
                    subject=f"provider {found.provider!r}",
                    remedy="block the installed one in the settings, or register one plugin only",
                )


def _load_provider(found: PluginEntryPoint) -> Provider:
    plugin = found.load()
    manifest = read_manifest(plugin)
    if manifest.provider != found.provider:
        raise PluginFaultError(f"names its provider {manifest.provider!r} but its entry point {found.provider!r}")
    check_hooks(plugin, manifest)
    return Provider(plugin, manifest, found)


def _one_line(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())[:REASON_LIMIT]
    except BaseException:  # noqa: BLE001 - the text of a foreign error is foreign code too
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

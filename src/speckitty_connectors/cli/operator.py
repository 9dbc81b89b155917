"""Who is at the command line: their settings, and what a command opens with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import update_wrapper
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from attrs import frozen

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..configuration import Settings
    from ..connectors import Connectors
    from ..loading.registry import Registry
    from ..loading.statuses import PluginStatus
    from ..store.engine import Store

CORE: Final = "speckitty-connectors"
"""The distribution that this is."""

FAILED, MISUSED = 1, 2
"""The exit codes of what went wrong; `docs/command-line.md` says what each means."""

Result = TypeVar("Result")


@frozen(kw_only=True)
class Operator:
    """The person at the command line; nothing is imported before a command asks for it.

    Attributes:
        config: path of the settings file, or None for the environment alone.
    """

    config: str | None

    def settings(self) -> Settings:
        """Return the settings of the file, or of the environment."""
        from ..configuration import Settings

        return Settings.from_file(self.config) if self.config else Settings.from_environment()

    def registry(self) -> Registry:
        """Return the plugins that may be loaded; without a settings file all that are installed."""
        from ..loading.registry import Registry

        return Registry(**self._choice())

    def plugins(self) -> Collection[PluginStatus]:
        """Return what is known of each plugin by its metadata and the settings alone; none is imported."""
        from ..loading import admission, discovery

        return admission.admit(discovery.discover(), **self._choice()).values()

    def _choice(self) -> dict[str, Any]:
        if not self.config:
            return {"allow": None, "block": ()}
        plugins = self.settings().plugins
        return {"allow": plugins.allow, "block": plugins.block}

    @contextmanager
    def connectors(self, *, upgrade: bool = False) -> Iterator[Connectors]:
        """Open everything and register the apps of the settings, on a database that is up to date."""
        from ..connectors import Connectors

        with Connectors(self.settings()) as connectors:
            if upgrade:
                connectors.upgrade()
            connectors.start()
            yield connectors

    def store(self) -> AbstractContextManager[Store]:
        """Open the database alone, as it is."""
        from ..connectors import open_store

        return closing(open_store(self.settings()))


def connected(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the `Connectors` of the settings, which are open while it runs."""

    def run(operator: Operator, /, **given: object) -> Result:
        with operator.connectors() as connectors:
            return command(connectors, **given)

    return click.pass_obj(update_wrapper(run, command))


def load_extra(module: str, *, extra: str = "cli") -> Any:
    """Import a module of an extra, or one of ours that needs it."""
    try:
        return import_module(module, __package__)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"this command needs {error.name}",
            subject=f"extra {extra}",
            remedy=f"run: pip install 'speckitty-connectors[{extra}]'",
        ) from None

"""H: a plugin leaves the process as it found it."""

from __future__ import annotations

import logging
import os
import pickle
import threading
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ...errors import ConnectorsError
from ...loading.discovery import address_of
from ...providers.manifest import Capability
from ..isolation import import_effects, is_importable
from ..recordings import Recording
from ..rules import NotApplicableError, require, rule
from ..scenario_player import TOKEN
from .base import Rules

THREADS = 8
ROUNDS = 20

LONGEST_IMPORT_SECONDS = 2.0
"""CPU time that importing a plugin may take, beyond core's."""

OF_HOSTS = ("sqlalchemy", "alembic", "speckitty_connectors.connectors", "pytest", "flask", "django")
"""What only a host or a test needs."""


class HygieneRules(Rules):
    """Side effects."""

    @rule("H01")
    def test_h01_importing_works_alone(self) -> None:
        """The plugin's module can be imported in a process of its own.

        It is imported after core, and nothing else.
        Why: hosts import it in workers and web processes, in any order.
        Fix: import what the module needs in the module.
        """
        failed = self._effects().get("failed", "")
        require(not failed, f"couldn't be imported: {failed}")

    @rule("H02")
    def test_h02_importing_changes_nothing(self) -> None:
        """Importing the plugin starts nothing and changes nothing.

        Threads, set-up of logging, environment, signals, folder and search path are compared before and after.
        Why: listing plugins would change the host.
        Fix: do it in the hooks, if at all.
        """
        changed = self._effects().get("changed", [])
        require(not changed, f"changed {', '.join(changed)} when it was imported")

    @rule("H03")
    def test_h03_importing_reaches_nobody(self) -> None:
        """Importing the plugin opens no connection and starts no process.

        Connections, name look-ups and processes are watched during the import.
        Why: a host without a network has to start.
        Fix: ask in the hooks, through the session.
        """
        connected = self._effects().get("connected", [])
        require(not connected, f"did {', '.join(connected)} when it was imported")

    @rule("H04")
    def test_h04_importing_is_silent(self) -> None:
        """Importing the plugin prints nothing and warns of nothing.

        Standard output, standard error and warnings are read.
        Why: command lines print JSON, and tests treat warnings as errors.
        Fix: log through logging, in the hooks.
        """
        effects = self._effects()
        require(not effects.get("printed"), f"printed {str(effects.get('printed'))[:60]!r} when it was imported")
        warned = effects.get("warnings", [])
        require(not warned, f"warned {warned[:1]} when it was imported")

    @rule("H05")
    def test_h05_importing_is_quick(self) -> None:
        """Importing the plugin takes little time.

        The CPU time of the import, beyond core's, is measured in a process of its own.
        Why: every command and every worker waits for it.
        Fix: import large libraries where they are used.
        """
        seconds = self._effects().get("seconds", 0.0)
        require(seconds <= LONGEST_IMPORT_SECONDS, f"took {seconds:.1f} s of CPU to be imported")

    @rule("H06")
    def test_h06_the_plugin_is_light(self) -> None:
        """Importing the plugin brings in nothing that only a host or a test needs.

        The modules that it imports are looked at.
        Why: a plugin's parsers are used where there is no database.
        Fix: import from the public package speckitty_connectors only.
        """
        modules = self._effects().get("modules", [])
        heavy = [name for name in OF_HOSTS if name in modules]
        require(not heavy, f"imported {', '.join(heavy)}")

    @rule("H07")
    def test_h07_threads_agree(self) -> None:
        """Several threads get the answers that one gets.

        All recorded deliveries are routed by eight threads at once.
        Why: hosts run workers as threads, with one plugin.
        Fix: keep no state in the plugin.
        """
        deliveries = self._routable()
        expected = [self.subject.route(delivery) for delivery in deliveries]
        start = threading.Barrier(THREADS)

        def route_all() -> bool:
            start.wait()
            return all([self.subject.route(each) for each in deliveries] == expected for _ in range(ROUNDS))

        with ThreadPoolExecutor(THREADS) as pool:
            agreed = [future.result() for future in [pool.submit(route_all) for _ in range(THREADS)]]
        require(all(agreed), "answered differently in several threads")

    @rule("H08")
    def test_h08_nothing_is_kept(self) -> None:
        """Hooks leave the plugin as it was.

        Every hook is called, and the plugin's own fields are compared after each call.
        Why: it lives as long as the process, for every customer.
        Fix: keep nothing; what has to be known later goes into `remember` or into a cursor.
        """
        list(self._everything())  # what is read once and then kept for all is nobody's
        states = [self._fields() for _ in self._everything()]
        require(all(state == states[0] for state in states), "kept something from one call to the next")

    @rule("H09")
    def test_h09_hooks_change_nothing(self) -> None:
        """Hooks leave the process as it was.

        Environment, folder, set-up of logging and threads are compared before and after every hook was called.
        Why: another customer's call comes next.
        Fix: pass values instead of setting them.
        """
        before = _process()
        list(self._everything())
        after = _process()
        changed = sorted(name for name in before if before[name] != after[name])
        require(not changed, f"changed {', '.join(changed)} in a hook")

    @rule("H10")
    def test_h10_no_secret_in_any_repr(self) -> None:
        """No representation shows a credential.

        What the hooks answer, and the plugin itself, are written down and searched for the session's token.
        Why: representations end in logs.
        Fix: keep sessions and grants out of what is answered.
        """
        shown = [
            repr(self.subject.plugin),
            *map(repr, self._fields().values()),
            *map(repr, self._everything()),
        ]
        require(not any(TOKEN in text for text in shown), "showed the session's token in a representation")

    @rule("H11")
    def test_h11_hooks_warn_of_nothing(self) -> None:
        """Hooks raise no warning.

        Every hook is called with warnings recorded.
        Why: hosts that treat warnings as errors would lose deliveries.
        Fix: use what the warning recommends.
        """
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            list(self._everything())
        require(not warned, f"warned in a hook: {warned and str(warned[0].message)[:100]}")

    def _effects(self) -> Mapping[str, Any]:
        """Return what importing the plugin's module does."""
        published = self.subject.published
        module = (published.value if published else address_of(self.subject.plugin)).partition(":")[0]
        if not is_importable(module):
            raise NotApplicableError(f"{module} isn't a module that can be imported by its name")
        return import_effects(module)

    def _routable(self) -> list[Recording]:
        return list(self.subject.samples.deliveries) if self.subject.supports(Capability.ROUTE_EVENT) else []

    def _fields(self) -> dict[str, object]:
        """Return the plugin's own fields, as they are now; of a module, what Python keeps in it is left out."""
        fields = {}
        for name, value in getattr(self.subject.plugin, "__dict__", {}).items():
            if name.startswith("__"):
                continue
            try:
                fields[name] = pickle.dumps(value)
            except Exception:  # noqa: BLE001 - whatever can't be pickled is compared as text
                fields[name] = repr(value).encode()
        return dict(fields)

    def _everything(self) -> Iterator[object]:
        """Call every hook with every sample, and yield what is answered."""
        yield from map(self.subject.route, self._routable())
        for scenario in self.subject.samples.scenarios:
            # What a step about a webhook leaves behind is the provider's memory, which `fake` plays itself.
            if scenario.hook is Capability.SUBSCRIBE or not self.subject.supports(scenario.hook):
                continue
            with suppress(ConnectorsError):  # what is expected of it is another rule's affair
                yield self.subject.ask(scenario)[0]


def _process() -> dict[str, object]:
    root = logging.getLogger()
    return {
        "the environment": dict(os.environ),
        "the folder": str(os.getcwd()),  # noqa: PTH109 - what is compared is the text
        "the set-up of logging": (root.level, list(root.handlers)),
        "the threads": [thread.name for thread in threading.enumerate() if not thread.name.startswith("Thread-")],
    }

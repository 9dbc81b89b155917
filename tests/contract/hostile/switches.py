"""The switches: each misbehaviour is one class, and says which rule has to notice it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from speckitty_connectors import Capability
from speckitty_connectors.contract.scenarios import Scenario
from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.contract.suite import samples_in

from .boards import Boards

FOLDER = Path(__file__).parent / "samples"

IMPORTS = f"{__package__}.imports"
"""Where the modules are that misbehave when they are imported."""

Replace = Callable[[Any], Any]
"""Makes a replacement of what stands somewhere in core; it is given the original."""


class Hostile(Boards):
    """Base of the misbehaviours; on its own it keeps every rule.

    Attributes:
        breaks: the rule that has to notice.
        and_so: rules that can't but notice too.
        core: ``module:name`` → what makes a replacement, for what no plugin can do without core's help.
    """

    breaks: ClassVar[str] = ""
    and_so: ClassVar[frozenset[str]] = frozenset()
    core: ClassVar[Mapping[str, Replace]] = {}

    def shown_with(self, samples: Samples) -> Samples:
        """Return what the plugin is shown with."""
        return samples


# Importing the plugin's module is judged too, and a plugin's module knows nothing of the suite.
Hostile.__module__ = Boards.__module__

AnyHostile = TypeVar("AnyHostile", bound=type[Hostile])

SWITCHES: dict[str, list[type[Hostile]]] = {}
"""Rule → the misbehaviours that it has to notice."""


def switch(rule: str, *, and_so: tuple[str, ...] = ()) -> Callable[[AnyHostile], AnyHostile]:
    """Make a class the switch for a rule; the rules in `and_so` can't but notice it too."""

    def register(hostile: AnyHostile) -> AnyHostile:
        hostile.breaks, hostile.and_so = rule, frozenset(and_so)
        if not hostile.__module__.startswith(IMPORTS):
            hostile.__module__ = Boards.__module__
        SWITCHES.setdefault(rule, []).append(hostile)
        return hostile

    return register


def honest_samples() -> Samples:
    """Return what an honest plugin is shown with."""
    return samples_in(FOLDER / "deliveries", FOLDER / "exchanges")


def without(samples: Samples, hook: Capability, ends: Callable[[Scenario], bool]) -> Samples:
    """Leave out the scenarios of a hook that end in some way."""
    kept = tuple(one for one in samples.scenarios if one.hook is not hook or not ends(one))
    return Samples(deliveries=samples.deliveries, scenarios=kept)

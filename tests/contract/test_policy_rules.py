"""The rules about policies judge what plugins declare, and let pass what core can read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from attrs import AttrsInstance, evolve, frozen

from contract.hostile.catalogue import Hostile, honest_samples
from speckitty_connectors.contract.examination import RuleFinding, Verdict, examine
from speckitty_connectors.contract.suite import contract_of


class Mood(StrEnum):
    CALM = "calm"
    LOUD = "loud"


@frozen(kw_only=True)
class Quiet:
    """When nobody is told anything."""

    start: int = 22
    end: int = 6


READABLE: Mapping[str, tuple[Any, object]] = {
    "words": (Mood, Mood.LOUD),
    "literal": (Literal["daily", "never"], "never"),
    "annotated": (Annotated[int, "hours"] | None, None),
    "list": (tuple[Mood, ...], (Mood.CALM,)),
    "mapping": (Mapping[Mood, tuple[str, ...]] | None, {Mood.CALM: ("a",)}),
    "class": (Quiet, Quiet()),
    "number": (float, 2),
}
"""Types of fields that a policy may have, each with a default."""


def findings(policy: type[AttrsInstance] | None) -> list[RuleFinding]:
    """Return what the rules about policies find where a plugin declares this one."""
    plugin = Hostile()
    plugin.manifest = evolve(plugin.manifest, policy=policy)
    found = examine(contract_of(plugin, honest_samples())).findings
    return [finding for finding in found if finding.rule.id.startswith("P")]


def declaring(kind: Any, default: object) -> type[AttrsInstance]:
    """Return a policy with one field of a type."""
    return frozen(kw_only=True)(
        type("Policy", (), {"__doc__": "wish: what is wished.", "__annotations__": {"wish": kind}, "wish": default})
    )


def test_without_a_policy_nothing_is_judged() -> None:
    """A plugin that declares no policy keeps the rules, and the report says that there was nothing to judge."""
    found = findings(None)
    assert found
    assert all(finding.verdict is Verdict.NOT_APPLICABLE for finding in found)
    assert all("declares no policy" in finding.text for finding in found)


@pytest.mark.parametrize(("kind", "default"), READABLE.values(), ids=READABLE)
def test_what_core_reads_is_kept(kind: Any, default: object) -> None:
    """A field of any type that core reads keeps every rule."""
    assert [finding.text for finding in findings(declaring(kind, default)) if finding.text] == []


@pytest.mark.parametrize(
    "kind",
    [Any, list[str], frozenset[str], dict[str, str], datetime, int | str, tuple, tuple[int, str], tuple[Any, ...]],
    ids=str,
)
def test_what_core_does_not_read_is_told_once(kind: Any) -> None:
    """A field of another type breaks the rule about types, and what can't be judged after it isn't."""
    broken = [finding for finding in findings(declaring(kind, None)) if finding.verdict is Verdict.BROKEN]
    assert [finding.rule.id for finding in broken] == ["P02"]
    assert "wish" in broken[0].text

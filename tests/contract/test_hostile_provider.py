"""The suite notices every misbehaviour, and nothing else than it."""

from __future__ import annotations

import os
import pkgutil
import warnings
from unittest import mock

import pytest

from contract.hostile.catalogue import SWITCHES, Hostile, honest_samples
from speckitty_connectors.contract.examination import Examination, examine
from speckitty_connectors.contract.suite import all_rules, contract_of

CORE = "speckitty_connectors"
LOGS = "V19"
"""The rule that a misbehaviour breaks by logging a secret, which the watch over all tests would find as well."""

CASES = [
    pytest.param(
        switch,
        id=f"{rule}-{switch.__name__}",
        marks=[pytest.mark.shows_secrets] if rule == LOGS else [],
    )
    for rule, found in SWITCHES.items()
    for switch in found
]


def place_of(target: str) -> tuple[object, str]:
    """Return the module or class that holds a name of core, and the name there."""
    module, _, path = target.partition(":")
    *classes, name = path.split(".")
    return pkgutil.resolve_name(":".join([f"{CORE}.{module}", *classes])), name


def examined(switch: type[Hostile]) -> Examination:
    """Judge the hostile provider with one switch turned on, and core changed where the switch needs it."""
    with mock.patch.dict(os.environ), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.MonkeyPatch.context() as monkeypatch:
            for target, replace in switch.core.items():
                place, _, name = f"speckitty_connectors.{target}".rpartition(
                    "." if "." in target.split(":")[1] else ":"
                )
                owner = pkgutil.resolve_name(place)
                monkeypatch.setattr(owner, name, replace(getattr(owner, name)))
            plugin = switch()
            return examine(contract_of(plugin, plugin.shown_with(honest_samples())))


def test_without_a_switch_every_rule_is_kept() -> None:
    """With every switch off the hostile provider is an honest one, and most rules have something to judge."""
    honest = examined(Hostile)
    assert honest.broken == []
    judged = {finding.rule.id for finding in honest.findings if finding.verdict == "kept"}
    assert set(all_rules()) - judged == {"D06"}


def test_every_rule_has_a_switch() -> None:
    """A rule that no misbehaviour breaks might judge nothing."""
    assert sorted(SWITCHES) == sorted(all_rules())


@pytest.mark.soak
@pytest.mark.parametrize("switch", CASES)
def test_a_misbehaviour_breaks_its_rule(switch: type[Hostile]) -> None:
    """The rule notices, its declared consequences do, and nothing else; the report names rule, plugin, remedy."""
    found = examined(switch)
    assert set(found.broken) == {switch.breaks, *switch.and_so}
    texts = [finding.text for finding in found.findings if finding.rule.id == switch.breaks and finding.text]
    rule = all_rules()[switch.breaks]
    assert any(switch.breaks in text and found.plugin in text and rule.fix in text for text in texts)

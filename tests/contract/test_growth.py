"""The contract grows as its policy says: nothing is lost within a major, and nothing comes with a patch."""

from __future__ import annotations

import json
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from contract.hostile.catalogue import Hostile, honest_samples
from speckitty_connectors.contract.examination import examine
from speckitty_connectors.contract.stores import StoreContract, store_rules
from speckitty_connectors.contract.suite import CONTRACT_VERSION, ConnectorContract, all_rules, contract_of
from speckitty_connectors.plugin import Delivery, Outcome, hookimpl
from testbed import contract_pages as pages
from testbed.contract_surface import losses, surface, write

RULES = {**all_rules(), **store_rules()}
ROOT = Path(__file__).resolve().parents[2]
WRITTEN_BY_HAND = {"growth.md", "stores.md"}
SURFACES = Path(__file__).parent / "surfaces"
REMEDY = "raise CONTRACT_MINOR and run: make surface"


def recorded() -> dict[str, dict[str, Any]]:
    """Return the recorded shapes by version, oldest first."""
    files = sorted(SURFACES.glob("*.json"), key=lambda file: [int(part) for part in file.stem.split(".")])
    return {file.stem: json.loads(file.read_text()) for file in files}


def test_the_shape_of_the_contract_is_recorded() -> None:
    """Hooks, types and rules are those that were written down for this version."""
    assert recorded()[CONTRACT_VERSION] == surface(), REMEDY


def test_nothing_is_lost_within_a_major() -> None:
    """Whatever a version had, the next minor has too, and asks plugins for nothing new."""
    shapes = recorded()
    same_major = [(older, newer) for older, newer in pairwise(shapes) if older.split(".")[0] == newer.split(".")[0]]
    assert [losses(shapes[older], shapes[newer]) for older, newer in same_major] == [[] for _ in same_major]


def changed(**types: dict[str, str]) -> dict[str, Any]:
    """Return today's shape with some types changed."""
    shape = surface()
    return {**shape, "types": {**shape["types"], **types}}


DELIVERY, MANIFEST = surface()["types"]["Delivery"], surface()["types"]["Manifest"]


@pytest.mark.parametrize(
    ("newer", "lost"),
    [
        (changed(Delivery={**DELIVERY, "attempt": "int"}), []),
        (changed(Manifest={**MANIFEST, "colour": "str, optional"}), []),
        (changed(Manifest={**MANIFEST, "colour": "str"}), ["Manifest.colour is required"]),
        (changed(Delivery={k: v for k, v in DELIVERY.items() if k != "kind"}), ["Delivery.kind"]),
        (changed(Delivery={**DELIVERY, "kind": "bytes"}), ["Delivery.kind"]),
        ({**surface(), "hooks": {**surface()["hooks"], "install": "() -> None"}}, ["hook install"]),
    ],
    ids=["given-more", "optional-field", "required-field", "field-gone", "field-changed", "hook-changed"],
)
def test_losses_are_found(newer: dict[str, Any], lost: list[str]) -> None:
    """What plugins are given may grow, what they declare only by what is optional; the rest is a loss."""
    assert losses(surface(), newer) == lost


class ReadsTheOldName(Hostile):
    """A plugin that was written before an attribute got another name."""

    __module__ = Hostile.__module__

    @hookimpl
    def route_event(self, delivery: Any) -> Outcome:
        """Route what stands under the old name."""
        return super().route_event(evolve(delivery, content=delivery.payload))


def test_an_attribute_on_its_way_out_works_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that reads an attribute which goes away works as before, and only H11 says that it has to change."""

    def payload(self: Delivery) -> bytes:
        warnings.warn("Delivery.payload goes away; read Delivery.content", DeprecationWarning, stacklevel=2)
        return self.content

    monkeypatch.setattr(Delivery, "payload", property(payload), raising=False)
    with warnings.catch_warnings(action="ignore"):
        found = examine(contract_of(ReadsTheOldName(), honest_samples()))
    assert found.broken == ["H11"]
    told = [finding.text for finding in found.findings if finding.rule.id == "H11"]
    assert "Delivery.payload goes away; read Delivery.content" in told[0]


def test_a_rule_keeps_the_version_that_it_came_with() -> None:
    """A rule of an older version is in that version's record, so that no patch adds one."""
    shapes = recorded()
    strayed = [rule.id for rule in RULES.values() if rule.id not in shapes[rule.since]["rules"]]
    assert strayed == []
    assert {rule.since for rule in RULES.values()} <= set(shapes)


def test_an_id_is_given_once() -> None:
    """No two rules share an id, a method or a name of the groups, and each method starts with its id."""
    groups = (*ConnectorContract.__bases__, *StoreContract.__bases__)
    names = [name for group in groups for name in vars(group) if not name.startswith("__")]
    assert sorted(set(names)) == sorted(names)
    assert all(rule.method.startswith(f"test_{rule.id.lower()}_") for rule in RULES.values())


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_says_what_why_and_how(rule: Any) -> None:
    """Each rule has a sentence, what it checks, why, and how to mend it."""
    assert rule.title.endswith(".")
    assert all((rule.checks, rule.why, rule.fix))


def test_the_pages_are_those_of_the_rules() -> None:
    """Each rule has the page that is written from it, and no page is left of a rule that went away."""
    folder = ROOT / "docs" / "contract"
    expected = dict(pages.pages())
    assert {
        file.name: file.read_text() for file in folder.glob("*.md") if file.name not in WRITTEN_BY_HAND
    } == expected


def test_writing_makes_one_file_for_each(tmp_path: Path) -> None:
    """Both writers make the files that the repository keeps."""
    pages.write(tmp_path / "pages")
    assert len(list((tmp_path / "pages").iterdir())) == len(RULES) + 1
    assert json.loads(write(tmp_path / "surfaces").read_text()) == surface()

"""The class that an author writes: what it may set, what it may not, and how its verdicts read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import evolve

from contract.hostile.catalogue import SWITCHES, honest_samples
from speckitty_connectors import Capability, ConfigurationError, Support, contract
from speckitty_connectors.contract import suite
from speckitty_connectors.contract.examination import Examination, RuleFinding, Verdict, examine
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.contract.rules import Rule
from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.contract.suite import (
    ConnectorContract,
    PinnedContractWarning,
    all_rules,
    contract_of,
    samples_in,
)
from speckitty_connectors.contract.verdicts import Waiver
from speckitty_connectors.loading.binding import Provider
from speckitty_connectors.plugin import Delivery, Outcome, hookimpl

SAMPLES = Path(contract.__file__).parent / "samples"
FAKE = samples_in(SAMPLES / "deliveries", SAMPLES / "exchanges")
LATER, EARLIER = date(9999, 12, 31), date(2020, 1, 1)


def waiver(rule: str, *, until: date = LATER, case: str = "") -> Waiver:
    """Return a waiver with a reason and a link."""
    return Waiver(rule=rule, reason="known", link="https://acme.example/issues/7", until=until, case=case)


def ending_quietly(**settings: Any) -> Examination:
    """Judge the provider that breaks L06."""
    switch, *_ = SWITCHES["L06"]
    return examine(contract_of(switch(), honest_samples(), **settings))


def routing_module(name: str, route_event: Callable[[Delivery], Outcome]) -> ModuleType:
    """Return a plugin that is a module and only routes."""
    unsupported = dict.fromkeys(Capability, Support.unsupported("it only routes"))
    module = ModuleType(name, "Boards in memory, only routed.")
    capabilities = {**unsupported, Capability.ROUTE_EVENT: Support.full()}
    vars(module).update(manifest=evolve(MANIFEST, capabilities=capabilities), route_event=hookimpl(route_event))
    return module


def of_rule(examination: Examination, rule: str) -> list[RuleFinding]:
    """Return what was found about a rule."""
    return [finding for finding in examination.findings if finding.rule.id == rule]


def test_a_module_is_judged_as_an_object_is() -> None:
    """A module that routes passes every rule; one that keeps something between calls breaks H08, and only that."""
    fake = FakeProvider()

    def honest(delivery: Delivery) -> Outcome:
        """Say what a delivery means."""
        return fake.route_event(delivery)

    def keeping(delivery: Delivery) -> Outcome:
        """Say what a delivery means, and count."""
        vars(counting)["calls"] = vars(counting).get("calls", 0) + 1
        return fake.route_event(delivery)

    counting = routing_module("acme_counting", keeping)
    deliveries = Samples(deliveries=FAKE.deliveries)
    passed = examine(contract_of(routing_module("acme_boards", honest), deliveries))
    assert (passed.plugin, passed.broken, passed.passed) == ("acme_boards", [], True)
    assert examine(contract_of(counting, deliveries)).broken == ["H08"]


@pytest.mark.parametrize("name", ["test_l06_failures_are_errors", "judge", "rules", "teardown_class", "outcome"])
def test_nothing_of_the_suite_can_be_overridden(name: str) -> None:
    """A class that has its own version of a rule, or of what judges, is refused when it is made."""
    with pytest.raises(ConfigurationError, match=f"the contract's own {name} can't be overridden"):
        contract_of(FakeProvider(), FAKE, **{name: lambda self: None})


def test_a_rule_cannot_be_overridden_by_a_mixin() -> None:
    """Another base class that brings its own version of a rule is refused too."""

    class Lenient:
        def test_l06_failures_are_errors(self, listing: object) -> None:
            """Look away."""

    with pytest.raises(ConfigurationError, match="test_l06_failures_are_errors"):
        type("Mixed", (Lenient, ConnectorContract), {"plugin": FakeProvider()})


def test_a_class_may_have_tests_of_its_own() -> None:
    """Names that aren't the suite's are the author's."""
    assert contract_of(FakeProvider(), FAKE, test_of_its_own=lambda self: None).subject.plugin is not None


def test_a_waived_rule_is_expected_to_fail() -> None:
    """A waiver turns the failure into an expected one, which the report shows with reason and link."""
    waived = ending_quietly(waivers=[waiver("L06")])
    assert waived.broken == []
    assert {finding.verdict for finding in of_rule(waived, "L06")} == {Verdict.WAIVED}
    assert "known (https://acme.example/issues/7)" in of_rule(waived, "L06")[0].text


def test_a_waiver_that_is_no_longer_needed_fails() -> None:
    """A rule that is kept in spite of its waiver fails, so that the waiver goes."""
    kept = examine(contract_of(FakeProvider(), FAKE, waivers=[waiver("L03")]))
    assert kept.broken == ["L03"]
    assert "no longer needed" in of_rule(kept, "L03")[0].text


def test_a_waiver_counts_for_one_case_only() -> None:
    """A waiver that names a case leaves the others to be judged."""
    waived = ending_quietly(waivers=[waiver("L06", case="listing-one-page.json")])
    verdicts = {finding.case: finding.verdict for finding in of_rule(waived, "L06")}
    assert verdicts.pop("listing-one-page.json") is Verdict.WAIVED
    assert set(verdicts.values()) == {Verdict.BROKEN}


def test_an_expired_waiver_fails() -> None:
    """After its last day a waiver hides nothing."""
    expired = ending_quietly(waivers=[waiver("L06", until=EARLIER)])
    assert expired.broken == ["L06"]
    assert "waived until 2020-01-01, which is over" in of_rule(expired, "L06")[0].text


@pytest.mark.parametrize(
    ("rule", "reason"), [("L99", "there is no rule L99"), ("E01", "the rule E01 can't be waived")]
)
def test_a_waiver_names_a_rule_that_can_be_waived(rule: str, reason: str) -> None:
    """An unknown rule, and one about samples being there, can't be waived."""
    with pytest.raises(ConfigurationError, match=reason):
        contract_of(FakeProvider(), FAKE, waivers=[waiver(rule)])


@pytest.mark.parametrize("field", ["reason", "link", "rule"])
def test_a_waiver_needs_reason_and_link(field: str) -> None:
    """A waiver without a rule, a reason or a link can't be written."""
    given: dict[str, Any] = {"rule": "L06", "reason": "known", "link": "https://acme.example/7", "until": LATER}
    with pytest.raises(ValueError, match=field):
        Waiver(**{**given, field: ""})


def test_a_pin_to_the_minor_before_warns_and_leaves_out_later_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """One minor back is judged by the rules of then, with a warning; others are refused."""
    monkeypatch.setattr(suite, "CONTRACT_MINOR", 1)
    monkeypatch.setattr(suite, "CONTRACT_VERSION", "1.1")
    later: dict[str, Rule] = {**all_rules(), "L06": evolve(all_rules()["L06"], since="1.1")}
    monkeypatch.setattr(suite, "all_rules", lambda: later)
    with pytest.warns(PinnedContractWarning, match=r"judged by contract 1\.0; core has 1\.1"):
        pinned = contract_of(FakeProvider(), FAKE, contract_version="1.0")
    assert "L06" not in pinned.rules()
    assert "L06" in contract_of(FakeProvider(), FAKE, contract_version="1.1").rules()
    with pytest.raises(ConfigurationError, match=r"can't be pinned to 0\.9"):
        contract_of(FakeProvider(), FAKE, contract_version="0.9")


def test_without_samples_a_plugin_does_not_pass() -> None:
    """A plugin that is shown with nothing breaks the rules about that, and its other rules say where to look."""
    bare = examine(contract_of(FakeProvider(), Samples()))
    assert (bare.passed, bare.broken) == (False, ["E01", "I01", "I11", "L01", "W01"])
    assert "see E01" in of_rule(bare, "E04")[0].text


ROUTES_ONLY = evolve(
    MANIFEST,
    capabilities={
        capability: Support.full()
        if capability is Capability.ROUTE_EVENT
        else Support.unsupported("not written yet")
        for capability in Capability
    },
)


class RoutesOnly:
    """A plugin with one capability."""

    __module__ = FakeProvider.__module__  # what is imported to be judged is a plugin, not this test
    manifest = ROUTES_ONLY

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Route as the fake provider does."""
        return FakeProvider().route_event(delivery)


def test_what_is_not_declared_has_to_refuse() -> None:
    """Rules about an undeclared capability don't apply, after a call of it was refused; the rest is judged."""
    found = examine(contract_of(RoutesOnly(), FAKE))
    assert found.broken == []
    assert {finding.verdict for finding in of_rule(found, "L06")} == {Verdict.NOT_APPLICABLE}
    assert "list_resources is unsupported" in of_rule(found, "L06")[0].text
    assert {finding.verdict for finding in of_rule(found, "E04")} == {Verdict.KEPT}


def test_a_capability_that_is_there_without_being_declared_is_a_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a hook answers although the manifest calls it unsupported, its rules fail instead of being skipped."""
    monkeypatch.setattr(Provider, "_refuse", lambda self, capability: None)
    found = examine(contract_of(RoutesOnly(), FAKE))
    assert "did list_resources although its manifest says that it can't" in of_rule(found, "L06")[0].text


def test_a_class_can_be_judged_again() -> None:
    """What an examination opened it closes, and the next one starts afresh."""
    judged = contract_of(FakeProvider(), FAKE)
    assert (examine(judged).passed, examine(judged).passed) == (True, True)


def test_nothing_judged_is_not_passed() -> None:
    """An examination that found nothing isn't a good one."""
    assert not Examination(plugin="acme 1.0").passed


def test_a_plugin_that_raises_anywhere_breaks_the_rule() -> None:
    """Whatever a plugin raises is reported as what it did, with the place in its code."""

    class Raising(FakeProvider):
        """Raises wherever it is asked."""

        @hookimpl
        def route_event(self, delivery: object) -> Outcome:
            """Raise."""
            raise LookupError("no such board")

    raised = examine(contract_of(Raising(), FAKE))
    assert "raised LookupError: no such board (test_contract_class.py:" in of_rule(raised, "E02")[0].text


@pytest.mark.parametrize(
    "raised", [pytest.skip.Exception("not today"), pytest.xfail.Exception("known"), SystemExit()]
)
def test_a_plugin_cannot_skip_itself(raised: BaseException) -> None:
    """What pytest takes for a skip, or Python for the end, is a broken rule where a plugin raises it."""

    class Skipping(FakeProvider):
        """Ends its own tests."""

        @hookimpl
        def route_event(self, delivery: object) -> Outcome:
            """End the test."""
            raise raised

    skipping = examine(contract_of(Skipping(), FAKE))
    assert {finding.verdict for finding in of_rule(skipping, "E04")} == {Verdict.BROKEN}


def test_an_unreadable_sample_is_named(tmp_path: Path) -> None:
    """A file that isn't a recorded exchange is refused with its name and the place in it."""
    (tmp_path / "install.json").write_text('{"hook": "instal", "expct": {}}')
    with pytest.raises(ConfigurationError, match=r"isn't a recorded exchange: .*install\.json"):
        samples_in(None, tmp_path)


@pytest.mark.parametrize(
    "index", ["{", "[1]", '[{"name": "x"}]', '[{"file": "gone.json"}]'], ids=["cut", "number", "nameless", "gone"]
)
def test_an_unreadable_index_is_named(tmp_path: Path, index: str) -> None:
    """An index that can't be read, or names a file that isn't there, is refused with its name."""
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        samples_in(tmp_path, None)


TESTS = Path(__file__).parents[1]
"""Where the hostile provider can be imported from."""

TEN_LINES = """
from pathlib import Path
from speckitty_connectors.contract import ConnectorContract, Waiver
from contract.hostile.catalogue import SWITCHES
from contract.hostile.switches import FOLDER

class TestContract(ConnectorContract):
    plugin = SWITCHES["L06"][0]()
    deliveries, exchanges = FOLDER / "deliveries", FOLDER / "exchanges"
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Run an author's file as pytest does, in a process of its own; return what it prints."""

    def start(*arguments: str) -> str:
        (tmp_path / "test_contract.py").write_text(TEN_LINES)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
        done = subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(TESTS)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    return start


def test_an_authors_file_is_ten_lines(run: Callable[..., str]) -> None:
    """The file runs every rule, ids are file names, and the failure can be read alone."""
    assert len(TEN_LINES.strip().splitlines()) <= 10
    printed = run()
    assert re.search(r"\n3 failed, 3\d\d passed, \d+ skipped", printed)
    assert re.search(r"L06 · contract\.hostile\S+EndsQuietly · listing-one-page\.json\n", printed)
    assert "  what it did: ended the listing quietly when the API answered 403\n" in printed
    assert "  how to fix:  let the session's errors pass, or name what is left out.\n" in printed
    assert "FAILED test_contract.py::TestContract::test_l06_failures_are_errors[listing-two-pages.json]" in printed


@pytest.mark.soak
def test_one_rule_and_one_sample_can_be_chosen(run: Callable[..., str]) -> None:
    """Ids are made of rules and file names, so that both can be chosen."""
    assert "3 passed" in run("-k", "l03")
    assert "1 passed" in run("-k", "e04 and card-moved.json")

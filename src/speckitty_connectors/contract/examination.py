"""Judges a plugin without a test run: every rule, every case, and a finding for each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from attrs import field, frozen

from .rules import Rule
from .suite import CONTRACT_VERSION, ConnectorContract


class Verdict(StrEnum):
    """How a rule ended for a case."""

    KEPT = "kept"
    BROKEN = "broken"
    WAIVED = "waived"
    NOT_APPLICABLE = "not applicable"


VERDICTS: dict[type[BaseException], Verdict] = {
    pytest.fail.Exception: Verdict.BROKEN,
    pytest.skip.Exception: Verdict.NOT_APPLICABLE,
    pytest.xfail.Exception: Verdict.WAIVED,
}
"""The verdict behind each of pytest's outcomes."""


@frozen(kw_only=True)
class RuleFinding:
    """How one rule ended for one case.

    The `case` is the name of a sample or scheme, or empty; the `text` says what happened and what to do, and is
    empty where the rule was kept.
    """

    rule: Rule
    case: str
    verdict: Verdict
    text: str = ""
    seconds: float = 0.0


@frozen(kw_only=True)
class Examination:
    """A plugin, judged."""

    plugin: str
    contract: str = CONTRACT_VERSION
    findings: Sequence[RuleFinding] = field(factory=tuple)

    @property
    def counts(self) -> Counter[str]:
        """How many findings ended in each verdict."""
        return Counter(finding.verdict.value for finding in self.findings)

    @property
    def broken(self) -> list[str]:
        """Ids of the broken rules, each once."""
        broken = [finding.rule.id for finding in self.findings if finding.verdict is Verdict.BROKEN]
        return list(dict.fromkeys(broken))

    @property
    def passed(self) -> bool:
        """Whether something was judged, and nothing was broken."""
        return not self.broken and self.counts[Verdict.KEPT] > 0

    def to_document(self) -> dict[str, Any]:
        """Return what a program reads."""
        return {
            "plugin": self.plugin,
            "contract": self.contract,
            "passed": self.passed,
            "counts": {verdict.value: self.counts[verdict] for verdict in Verdict},
            "findings": [
                {
                    "rule": finding.rule.id,
                    "title": finding.rule.title,
                    "case": finding.case,
                    "verdict": finding.verdict.value,
                    "text": finding.text,
                }
                for finding in self.findings
            ],
        }


def examine(contract: type[ConnectorContract]) -> Examination:
    """Judge a plugin by every rule of its contract class."""
    try:
        findings = tuple(_findings(contract))
        return Examination(plugin=contract.subject.label, contract=contract.contract_version, findings=findings)
    finally:
        contract.subject.close()


def _findings(contract: type[ConnectorContract]) -> Iterator[RuleFinding]:
    for rule in contract.rules().values():
        cases = contract.subject.cases(rule.over) if rule.argument else [None]
        for case in cases:
            started = time.perf_counter()
            verdict, text = _judged(contract(), rule, case)
            seconds = time.perf_counter() - started
            name = getattr(case, "name", "")
            yield RuleFinding(rule=rule, case=name, verdict=verdict, text=text, seconds=seconds)


def _judged(contract: ConnectorContract, rule: Rule, case: object) -> tuple[Verdict, str]:
    try:
        getattr(contract, rule.method)(*([case] if rule.argument else []))
    except tuple(VERDICTS) as outcome:
        return VERDICTS[type(outcome)], str(outcome)
    return Verdict.KEPT, ""


def write_junit(examination: Examination, path: Path) -> None:
    """Write a report in JUnit's form, a test case for each finding.

    The form is the one that pytest writes (pytest, "Creating JUnitXML format files").
    """
    counts = examination.counts
    not_judged = counts[Verdict.WAIVED] + counts[Verdict.NOT_APPLICABLE]
    suite = ET.Element(
        "testsuite",
        name=f"contract {examination.contract} of {examination.plugin}",
        tests=str(len(examination.findings)),
        failures=str(counts[Verdict.BROKEN]),
        errors="0",
        skipped=str(not_judged),
    )
    for finding in examination.findings:
        suite.append(_case(finding))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _case(finding: RuleFinding) -> ET.Element:
    case = f"[{finding.case}]" if finding.case else ""
    element = ET.Element(
        "testcase", classname=finding.rule.id, name=f"{finding.rule.method}{case}", time=f"{finding.seconds:.3f}"
    )
    if finding.verdict is Verdict.BROKEN:
        ET.SubElement(element, "failure", message=finding.rule.title).text = _printable(finding.text)
    elif finding.verdict is not Verdict.KEPT:
        ET.SubElement(element, "skipped", message=f"{finding.verdict.value}: {_printable(finding.text)}")
    return element


def _printable(text: str) -> str:
    """Return the text without what XML can't hold (XML 1.0, section 2.2)."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)

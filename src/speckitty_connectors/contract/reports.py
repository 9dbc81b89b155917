"""An examination for machines: JUnit's XML, as CI systems read it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from .examination import Examination, Finding, Verdict


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


def _case(finding: Finding) -> ET.Element:
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

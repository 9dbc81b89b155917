"""`contract`: check an installed plugin by every rule of the contract."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from ..loading.discovery import GROUP, PluginEntryPoint, discover
from .operator import FAILED, load_extra
from .printing import Row, as_json, print_json, show

if TYPE_CHECKING:
    from ..contract.examination import Examination

SAMPLES = "samples"
"""The folder in a plugin's package that holds its ``deliveries`` and ``exchanges``."""


@click.command()
@click.argument("name")
@click.option(
    "--samples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with deliveries/ and exchanges/, where the plugin's package has none.",
)
@as_json
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report there.")
def contract(*, name: str, samples: Path | None, as_json: bool, junit: Path | None) -> None:
    """Check an installed plugin by the rules of the contract.

    NAME is its provider key. No network is needed. Waivers of its authors don't count here, and where no rule could
    be checked, it fails.
    """
    examination = _examine(name, samples)
    if junit is not None:
        load_extra("..contract.examination", extra="contract").write_junit(examination, junit)
    if as_json:
        print_json(examination.to_document())
    else:
        _show(examination)
    if not examination.passed:
        raise click.exceptions.Exit(FAILED)


def _examine(name: str, samples: Path | None) -> Examination:
    found = _published(name)
    try:
        plugin = found.load()
    except Exception as error:
        raise ConfigurationError(
            f"{found.label} can't be loaded from {found.value}: {type(error).__name__}: {error}",
            subject=f"provider {name!r}",
            remedy="fix the plugin, or what it imports",
        ) from error
    folder = samples or Path(str(files(found.value.partition(":")[0].partition(".")[0]))) / SAMPLES
    suite = load_extra("..contract.suite", extra="contract")
    judged = suite.contract_of(plugin, suite.samples_in(folder / "deliveries", folder / "exchanges"))
    examination: Examination = load_extra("..contract.examination", extra="contract").examine(judged)
    return examination


def _published(name: str) -> PluginEntryPoint:
    """Return where the plugin of a provider is published."""
    claims = [found for found in discover() if found.provider == name and found.group == GROUP]
    if len(claims) != 1:
        claimants = " and ".join(found.label for found in claims)
        raise ConfigurationError(
            f"it is claimed by {claimants}" if claims else "no plugin for this provider is installed",
            subject=f"provider {name!r:.60}",
            remedy="uninstall all but one" if claims else "install it; 'providers' lists what is there",
        )
    return claims[0]


def _show(examination: Examination) -> None:
    """Print a line for each rule, then what is broken, then the sum."""
    show(_rows(examination), as_json=False, nothing="no rule was checked")
    for finding in examination.findings:
        if finding.verdict == "broken":
            click.echo(f"\n{finding.text}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(examination.counts.items()))
    verdict = "passed" if examination.passed else "not passed"
    click.echo(f"\n{examination.plugin}: {verdict} contract {examination.contract} ({counts})")


def _rows(examination: Examination) -> list[Row]:
    worst = ("broken", "waived", "kept", "not applicable")
    rows: list[Row] = []
    for rule_id in dict.fromkeys(finding.rule.id for finding in examination.findings):
        of_rule = [finding for finding in examination.findings if finding.rule.id == rule_id]
        verdict = min((finding.verdict.value for finding in of_rule), key=worst.index)
        rows.append({"rule": rule_id, "verdict": verdict, "cases": len(of_rule), "title": of_rule[0].rule.title})
    return rows

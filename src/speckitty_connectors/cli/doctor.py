"""`doctor`: what is well, what isn't, what to do about it, and what to send to whoever helps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ..identifiers import utc_now
from .doctor_checks import Finding, Health, diagnose
from .operator import FAILED, Operator, as_json, say


@click.command()
@as_json
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what may be handed on there: versions, states, counts and ids.",
)
@click.pass_obj
def doctor(operator: Operator, *, as_json: bool, bundle: Path | None) -> None:
    """Look at versions, settings, plugins, database, tables, keys, apps and work; change nothing.

    It ends with 1 where something is ill.
    """
    findings = tuple(diagnose(operator))
    if bundle is not None:
        bundle.write_text(bundled(findings), encoding="utf-8")
    say((line for finding in findings for line in _lines(finding)), findings, as_json=as_json)
    if any(finding.health is Health.ILL for finding in findings):
        raise click.exceptions.Exit(FAILED)


def _lines(finding: Finding) -> Iterator[str]:
    """Yield a part's line, and what to do on one of its own, so that it can be copied."""
    yield f"{finding.health:<6} {finding.part}: {finding.says}"
    if finding.remedy:
        yield f"       → {finding.remedy}"


def bundled(findings: Sequence[Finding]) -> str:
    """Return the findings as a document without any word of a plugin, a provider, a driver or a customer."""
    kept = [{"part": each.part, "health": each.health.value, "facts": dict(each.facts)} for each in findings]
    return json.dumps({"made_at": utc_now().isoformat(timespec="seconds"), "findings": kept}, indent=2) + "\n"

"""`signals`: what was observed of projects, read from a file and forgotten in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TextIO

import cattrs
import click

from ..errors import ConfigurationError
from ..providers.codec import converter
from ..providers.suggestions import Signal
from ..signals.observations import REASONS
from .operator import Operator, as_json


@click.group()
def signals() -> None:
    """Report what was observed of projects, and forget what is old."""


@signals.command(name="import")
@click.argument("workspace")
@click.argument("file", type=click.File(encoding="utf-8"))
@as_json
@click.pass_obj
def import_signals(operator: Operator, *, workspace: str, file: TextIO, as_json: bool) -> None:
    """Report the signals of FILE, one JSON object a line; - is standard input. The same file twice is fine."""
    with operator.connectors() as connectors:
        report = connectors.signals.report(workspace=workspace, signals=_read(file))
    unusable = {reason.value: count for reason, count in report.unusable.items()}
    if as_json:
        click.echo(json.dumps({"stored": report.stored, "unusable": unusable}, indent=2))
        return
    click.echo(f"{report.stored} observations stored")
    for reason, count in report.unusable.items():
        click.echo(f"{count} x not used: {REASONS[reason]}")


@signals.command()
@click.argument("workspace")
@click.pass_obj
def forget(operator: Operator, *, workspace: str) -> None:
    """Forget what was last observed before the retention of the settings; run it once a day."""
    with operator.connectors() as connectors:
        count = connectors.signals.forget_older(workspace=workspace)
    click.echo(f"{count} observations forgotten")


def _read(lines: TextIO) -> Iterator[Signal]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield converter.structure(json.loads(line), Signal)
        except (ValueError, TypeError, cattrs.BaseValidationError) as error:
            raise ConfigurationError(
                f"the line holds no signal ({type(error).__name__})",
                subject=f"{getattr(lines, 'name', 'the file')}, line {number}",
                remedy='write one JSON object a line, for example {"project_id": "apollo", "remote_url": "…"}',
            ) from None

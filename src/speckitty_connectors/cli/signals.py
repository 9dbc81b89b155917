"""`signals`: what was observed of projects, read from a file and forgotten in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TextIO

import cattrs
import click

from ..connectors import Connectors
from ..errors import ConfigurationError
from ..providers.codec import converter
from ..providers.suggestions import Signal
from ..signals.observations import REASONS
from ..signals.service import SignalReport
from .arguments import in_workspace
from .operator import connected
from .printing import prints


@click.group()
def signals() -> None:
    """Report what was observed of projects, or forget it."""


def _lines(report: SignalReport) -> list[str]:
    unusable = [f"{count} x not used: {REASONS[why]}" for why, count in report.unusable.items()]
    return [f"{report.stored} observations stored", *unusable]


@signals.command(name="import")
@in_workspace()
@click.argument("file", type=click.File(encoding="utf-8"))
@prints(_lines)
def import_signals(connectors: Connectors, /, *, workspace: str, file: TextIO) -> SignalReport:
    """Report the signals of FILE, one JSON object a line. - is standard input; importing twice is fine."""
    return connectors.signals.report(workspace=workspace, signals=_read(file))


@signals.command()
@in_workspace()
@connected
def forget(connectors: Connectors, /, *, workspace: str) -> None:
    """Forget observations older than the retention.

    The setting signal_retention_days says how old that is. Run it once a day.
    """
    click.echo(f"{connectors.signals.forget_older(workspace=workspace)} observations forgotten")


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

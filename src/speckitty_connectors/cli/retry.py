"""`retry`: what was parked is tried again."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from ..connectors import Connectors
from ..dispatch.parked import ParkedCount, ParkedFilter
from .arguments import actor
from .operator import connected
from .printing import progress


@click.command()
@click.argument("work_id", metavar="[ID]", default="")
@click.option("--all", "everything", is_flag=True, help="All that matches, instead of one ID.")
@click.option("--workspace", default=None, help="Whose it is; none for what came through an app of the operator.")
@click.option("--provider", default="", help="Only what came from this provider; with --all.")
@click.option("--target-kind", default="", help="Only dispatches to targets of this kind; with --all.")
@click.option("--since", type=click.DateTime(), default=None, help="Only what came since then, in UTC; with --all.")
@click.option("--yes", is_flag=True, help="Don't ask; with --all.")
@actor
@connected
def retry(
    connectors: Connectors,
    /,
    *,
    work_id: str,
    everything: bool,
    workspace: str | None,
    provider: str,
    target_kind: str,
    since: datetime | None,
    yes: bool,
    actor: str,
) -> None:
    """Try parked deliveries and dispatches again. Their attempts begin again. `doctor` counts what is parked."""
    utc = since.replace(tzinfo=UTC) if since else None
    which = ParkedFilter(workspace=workspace, provider=provider, target_kind=target_kind, since=utc)
    if everything == bool(work_id) or (work_id and which != ParkedFilter(workspace=workspace)):
        raise click.UsageError("name one ID, or --all with what is meant")
    if work_id:
        connectors.parked.retry(workspace=workspace or "", work_id=work_id, actor=actor)
        click.echo(f"{work_id} is due again")
        return
    _retry_all(connectors, which, actor=actor, is_confirmed=yes)


def _retry_all(connectors: Connectors, which: ParkedFilter, *, actor: str, is_confirmed: bool) -> None:
    counts = connectors.parked.counts(which)
    for each in counts:
        click.echo(in_words(each))
    total = sum(each.count for each in counts)
    if not total:
        click.echo("nothing of that is parked")
        return
    if not is_confirmed:
        click.confirm(f"Try all {total} again?", abort=True)
    with progress("parked") as update:
        done = connectors.parked.retry_all(
            which, actor=actor, progress=lambda now: update(total=total, completed=now)
        )
    click.echo(f"{done} of {total} are due again")


def in_words(count: ParkedCount) -> str:
    """Return how much of one kind is parked, as a line.

    >>> in_words(ParkedCount(entity="dispatch", workspace="w1", provider="github", target_kind="project", count=2,
    ...                      id="1", event_id="2"))
    '2 dispatches to project of workspace w1, from github, since event 2'
    """
    things = {"delivery": "deliveries", "dispatch": "dispatches"}[count.entity]
    where = f" to {count.target_kind}" if count.target_kind else ""
    whose = f"workspace {count.workspace}" if count.workspace else "the operator's apps"
    return f"{count.count} {things}{where} of {whose}, from {count.provider}, since event {count.event_id}"

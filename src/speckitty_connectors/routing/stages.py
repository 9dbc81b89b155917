"""The stages that place events, in the order in which they are asked; what none places goes to the review queue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection

from ..installations import repository as installations
from ..mappings import repository as mappings
from ..providers.resources import ResourceReference
from .cases import Case, PlacingStage, PreparedStage
from .explicit import RouteTable
from .inference_stage import inference

REFERENCES_PER_QUERY = 200
"""SQLite takes expressions of at most 1,000 nested terms."""


def explicit_mappings(connection: Connection, cases: Sequence[Case]) -> PreparedStage:
    """Prepare the stage of explicit mappings; a mapped resource that an event calls by a new key is relabelled."""
    grouped: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        grouped[case.installation.id].append(case)
    tables = {installation_id: _load(connection, group) for installation_id, group in grouped.items()}
    for case in cases:
        _relabel(connection, case, tables[case.installation.id])
    return lambda case: tables[case.installation.id].decide(case.event)


STAGES: tuple[PlacingStage, ...] = (explicit_mappings, inference)
"""What a router asks unless it is given others."""


def _load(connection: Connection, cases: Sequence[Case]) -> RouteTable:
    installation = cases[0].installation
    wanted = {(each.kind, each.id): each for case in cases for each in case.event.resources}
    found = [
        mapping
        for references in _batches(wanted.values())
        for mapping in mappings.find_for_resources(
            connection,
            workspace=installation.workspace,
            installation_id=installation.id,
            references=references,
        )
    ]
    return RouteTable(found, rank=cases[0].manifest.rank)


def _batches(references: Iterable[ResourceReference]) -> Iterator[list[ResourceReference]]:
    remaining = iter(references)
    while batch := list(islice(remaining, REFERENCES_PER_QUERY)):
        yield batch


def _relabel(connection: Connection, case: Case, table: RouteTable) -> None:
    for reference in table.renamed(case.event):
        installations.rename_resource(
            connection,
            workspace=case.installation.workspace,
            installation_id=case.installation.id,
            kind=reference.kind,
            external_id=reference.id,
            key=reference.key,
            at=case.event.occurred_at or case.interpretation.delivery.received_at,
        )

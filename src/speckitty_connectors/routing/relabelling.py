"""Keeps the labels of known resources as fresh as the events that name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from ..installations import repository as installations
from .cases import Case
from .rulings import Interpretation


def relabel(connection: Connection, cases: Sequence[tuple[Interpretation, Case]]) -> None:
    """Rename the known resources that events call by another key; with one query per installation."""
    grouped: dict[str, list[tuple[Interpretation, Case]]] = defaultdict(list)
    for interpretation, case in cases:
        grouped[case.installation.id].append((interpretation, case))
    for group in grouped.values():
        _relabel(connection, group)


def _relabel(connection: Connection, cases: Sequence[tuple[Interpretation, Case]]) -> None:
    installation = cases[0][1].installation
    scope = {"workspace": installation.workspace, "installation_id": installation.id}
    named = {reference.place for _, case in cases for reference in case.event.resources if reference.key}
    known = {each.place: each.key for each in installations.find_resources(connection, **scope, places=named)}
    for interpretation, case in cases:
        at = case.event.occurred_at or interpretation.delivery.received_at
        for reference in case.event.resources:
            if reference.key and known.get(reference.place, reference.key) != reference.key:
                installations.rename_resource(
                    connection,
                    **scope,
                    kind=reference.kind,
                    external_id=reference.id,
                    key=reference.key,
                    at=at,
                )

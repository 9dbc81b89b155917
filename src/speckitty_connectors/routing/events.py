"""Routes events: each one, for each installation that it concerns, gets exactly one ruling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from ..providers.deliveries import Event
from ..resources.repository import change_resource, find_resources
from .admission import admit
from .cases import Case, PlacingStage, open_case
from .placement import place
from .types import Conclusion, Interpretation, Ruling


def relabel(connection: Connection, cases: Sequence[tuple[Interpretation, Case]]) -> None:
    """Rename the known resources that events call by another key; with one query per installation."""
    grouped: dict[str, list[tuple[Interpretation, Case]]] = defaultdict(list)
    for interpretation, case in cases:
        grouped[case.installation.id].append((interpretation, case))
    for group in grouped.values():
        _relabel(connection, group)


def _relabel(connection: Connection, cases: Sequence[tuple[Interpretation, Case]]) -> None:
    installation = cases[0][1].installation
    named = {reference.place for _, case in cases for reference in case.event.resources if reference.key}
    known = find_resources(connection, installation, named)
    for interpretation, case in cases:
        at = case.event.occurred_at or interpretation.delivery.received_at
        for reference in case.event.resources:
            if reference.key and reference.place in known and known[reference.place].key != reference.key:
                change_resource(connection, installation, reference, at=at)


_Entry = tuple[Interpretation, Case | Ruling]
"""A delivery with an installation that is to be asked about, or with what is decided without asking."""


def rule_on_events(
    connection: Connection, interpretations: Sequence[Interpretation], stages: Sequence[PlacingStage]
) -> list[Ruling]:
    """Return the rulings on events, in their order; known resources take the keys that events call them by."""
    entries = [entry for each in interpretations for entry in _entries(connection, each)]
    cases = [(interpretation, entry) for interpretation, entry in entries if isinstance(entry, Case)]
    relabel(connection, cases)
    conclusions = iter(place(connection, [case for _, case in cases], stages))
    return [
        _ruling(interpretation, entry, next(conclusions)) if isinstance(entry, Case) else entry
        for interpretation, entry in entries
    ]


def _entries(connection: Connection, interpretation: Interpretation) -> list[_Entry]:
    event = interpretation.outcome
    if not isinstance(event, Event):
        return []
    admission = admit(connection, interpretation, event)
    rulings: list[_Entry] = [(interpretation, ruling) for ruling in admission.rulings]
    cases: list[_Entry] = [
        (interpretation, open_case(connection, installation, event, interpretation.manifest))
        for installation in admission.installations
    ]
    return rulings + cases


def _ruling(interpretation: Interpretation, case: Case, conclusion: Conclusion) -> Ruling:
    return Ruling(
        interpretation=interpretation,
        workspace=case.installation.workspace,
        installation_id=case.installation.id,
        conclusion=conclusion,
        subject=case.subject,
    )

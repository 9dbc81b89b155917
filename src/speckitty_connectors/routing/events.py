"""Routes events: each one, for each installation that it concerns, gets exactly one ruling."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ..installations.types import Installation, InstallationStatus
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence
from .admission import admit
from .cases import Case, PlacingStage
from .rulings import NO_MAPPING, NO_RESOURCE, Interpretation, Ruling
from .types import Conclusion, Stage

RECEIVING = frozenset(
    {
        InstallationStatus.ACTIVE,
        InstallationStatus.DEGRADED,
        InstallationStatus.NEEDS_REAUTHORISATION,
        InstallationStatus.NEEDS_RECONSENT,
    }
)
"""The statuses in which events are handed on: a token that ended, or a scope that is missing, stops our calls to
the provider, not the provider's deliveries to us."""


def rule_on_events(
    connection: Connection, interpretations: Sequence[Interpretation], stages: Sequence[PlacingStage]
) -> list[Ruling]:
    """Return the rulings on events, in their order; each stage is asked about what those before it left."""
    entries = [entry for each in interpretations for entry in _entries(connection, each)]
    waiting = {place: entry for place, entry in enumerate(entries) if isinstance(entry, Case)}
    placed: dict[int, Ruling] = {}
    for stage in stages:
        if not waiting:
            break
        decide = stage(connection, list(waiting.values()))
        concluded = {place: conclusion for place, case in waiting.items() if (conclusion := decide(case))}
        placed |= {place: _ruling(waiting.pop(place), conclusion) for place, conclusion in concluded.items()}
    placed |= {place: _unplaced(case) for place, case in waiting.items()}
    return [placed[place] if isinstance(entry, Case) else entry for place, entry in enumerate(entries)]


def _entries(connection: Connection, interpretation: Interpretation) -> list[Case | Ruling]:
    """Return a case for each installation that is to be asked about, and what is decided without asking."""
    event = interpretation.outcome
    if not isinstance(event, Event):
        return []
    admission = admit(connection, interpretation, event)
    return [*admission.rulings, *(_entry(interpretation, each, event) for each in admission.installations)]


def _entry(interpretation: Interpretation, installation: Installation, event: Event) -> Case | Ruling:
    if installation.status not in RECEIVING:
        rule = f"installation_{installation.status}"
        evidence = Evidence(rule=rule, text=f"the installation is {installation.status}", against=True)
        return Ruling(
            interpretation=interpretation,
            workspace=installation.workspace,
            installation_id=installation.id,
            conclusion=Conclusion(stage=Stage.IGNORED, rule=rule, evidence=(evidence,)),
        )
    if not event.resources:
        return Ruling.review(
            interpretation, NO_RESOURCE, workspace=installation.workspace, installation_id=installation.id
        )
    return Case(interpretation=interpretation, installation=installation, event=event)


def _ruling(case: Case, conclusion: Conclusion) -> Ruling:
    return Ruling(
        interpretation=case.interpretation,
        workspace=case.installation.workspace,
        installation_id=case.installation.id,
        conclusion=conclusion,
        subject=case.subject,
    )


def _unplaced(case: Case) -> Ruling:
    return Ruling.review(
        case.interpretation,
        NO_MAPPING,
        workspace=case.installation.workspace,
        installation_id=case.installation.id,
        subject=case.subject,
    )

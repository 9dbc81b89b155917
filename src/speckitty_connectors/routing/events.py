"""Routes events: each one, for each installation that it concerns, gets exactly one ruling."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from sqlalchemy import Connection

from ..installations import repository as installations
from ..installations.types import Installation, InstallationStatus
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence
from .admission import admit, most_specific
from .rulings import NO_MAPPING, NO_RESOURCE, Interpretation, Ruling
from .stages import Case, PlacingStage, PreparedStage
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
    """Return the rulings on events, in their order; the stages are asked in theirs, the first answer holds."""
    entries = [entry for each in interpretations for entry in _entries(connection, each)]
    cases = [entry for entry in entries if isinstance(entry, Case)]
    prepared = [stage(connection, cases) for stage in stages] if cases else []
    return [_place(entry, prepared) if isinstance(entry, Case) else entry for entry in entries]


def _entries(connection: Connection, interpretation: Interpretation) -> list[Case | Ruling]:
    """Return a case for each installation that is to be asked about, and what is decided without asking."""
    event = interpretation.outcome
    if not isinstance(event, Event):
        return []
    admission = admit(connection, interpretation, event)
    cases = (_entry(interpretation, each, _identified(connection, each, event)) for each in admission.installations)
    return [*admission.rulings, *cases]


def _identified(connection: Connection, installation: Installation, event: Event) -> Event:
    """Return the event with the ids of resources that the delivery knows by their key of today alone."""
    if all(reference.id for reference in event.resources):
        return event
    references = (
        reference if reference.id else installations.identify(connection, installation, reference)
        for reference in event.resources
    )
    return evolve(event, resources=tuple(references))


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


def _place(case: Case, stages: Sequence[PreparedStage]) -> Ruling:
    workspace, installation_id = case.installation.workspace, case.installation.id
    for stage in stages:
        conclusion = stage(case)
        if conclusion is not None:
            return Ruling(
                interpretation=case.interpretation,
                workspace=workspace,
                installation_id=installation_id,
                conclusion=conclusion,
            )
    return Ruling.review(
        case.interpretation,
        NO_MAPPING,
        workspace=workspace,
        installation_id=installation_id,
        subject=most_specific(case.interpretation.manifest, case.event),
    )

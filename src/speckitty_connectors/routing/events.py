"""Routes events: each one, for each installation that it concerns, gets exactly one ruling."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ..installations.types import Installation, InstallationStatus
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence
from .admission import admit
from .placing import place
from .relabelling import relabel
from .rulings import NO_RESOURCE, Interpretation, Ruling
from .stages import Case, PlacingStage
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


_Entry = tuple[Interpretation, Case | Ruling]
"""A delivery with an installation that is to be asked about, or with what is decided without asking."""


def rule_on_events(
    connection: Connection, interpretations: Sequence[Interpretation], stages: Sequence[PlacingStage]
) -> list[Ruling]:
    """Return the rulings on events, in their order; known resources take the keys that events call them by."""
    entries = [entry for each in interpretations for entry in _entries(connection, each)]
    relabel(connection, [(interpretation, case) for interpretation, case in entries if isinstance(case, Case)])
    conclusions = iter(place(connection, [case for _, case in entries if isinstance(case, Case)], stages))
    return [
        _ruling(interpretation, entry, next(conclusions)) if isinstance(entry, Case) else entry
        for interpretation, entry in entries
    ]


def _entries(connection: Connection, interpretation: Interpretation) -> list[_Entry]:
    event = interpretation.outcome
    if not isinstance(event, Event):
        return []
    admission = admit(connection, interpretation, event)
    entries = (
        *admission.rulings,
        *(_entry(interpretation, each, event) for each in admission.installations),
    )
    return [(interpretation, entry) for entry in entries]


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
    return Case(installation=installation, event=event, manifest=interpretation.manifest)


def _ruling(interpretation: Interpretation, case: Case, conclusion: Conclusion) -> Ruling:
    return Ruling(
        interpretation=interpretation,
        workspace=case.installation.workspace,
        installation_id=case.installation.id,
        conclusion=conclusion,
        subject=case.subject,
    )

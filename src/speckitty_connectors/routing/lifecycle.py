"""Applies what changed at the provider: installations, their resources and mappings, links and approvals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..installations import approvals
from ..installations import lifecycle as installations
from ..installations.lifecycle import as_of_the_account
from ..installations.types import Follow, Installation
from ..links import lifecycle as links
from ..providers.deliveries import Lifecycle
from ..providers.suggestions import Evidence
from .batch import Case, Interpretation
from .types import REVIEW_REASONS, UNKNOWN_INSTALLATION, Conclusion, Stage, for_review


def apply_lifecycle(
    connection: Connection,
    interpretation: Interpretation,
    lifecycle: Lifecycle,
    cases: Sequence[Case],
    now: datetime,
    follow: Follow,
) -> list[tuple[Case, Conclusion]]:
    """Apply a change to every installation that it concerns; return a case for each, with its conclusion.

    What reaches over workspaces, an approval or the end of a person's authorisation, is believed only from a
    credential that no customer holds; the hook of one installation may report who left, for that installation.
    """
    if any(case.doubt not in {"", UNKNOWN_INSTALLATION} for case in cases):
        return [(case, for_review(case.doubt)) for case in cases]
    delivery = interpretation.delivery
    provider, host, own = delivery.provider, delivery.host, delivery.installation_id
    concerned = {case.installation.id: case.installation for case in cases if case.installation}
    if own or interpretation.speaks_for_provider:
        links.revoke(connection, lifecycle, provider, host, now=now, installation_id=own)
    if interpretation.speaks_for_provider:
        settled = approvals.settle(connection, lifecycle, provider, host, now=now)
        concerned |= {installation.id: installation for installation in settled}
    if not concerned:
        return [(case, _of_no_installation(lifecycle)) for case in cases]
    return [_apply(connection, cases[0], each, lifecycle, now, follow) for each in concerned.values()]


def _apply(
    connection: Connection,
    case: Case,
    installation: Installation,
    reported: Lifecycle,
    now: datetime,
    follow: Follow,
) -> tuple[Case, Conclusion]:
    lifecycle = as_of_the_account(installation, reported)
    changed = installations.apply(
        connection, installation=installation, lifecycle=lifecycle, now=now, follow=follow
    )
    evidence = Evidence(
        rule=lifecycle.change.value, text=f"the provider told of it; the installation is {changed.status}"
    )
    conclusion = Conclusion(stage=Stage.LIFECYCLE, rule=lifecycle.change.value, evidence=(evidence,))
    return evolve(case, key=(changed.workspace, changed.id), installation=changed), conclusion


def _of_no_installation(lifecycle: Lifecycle) -> Conclusion:
    """Conclude of what concerns a person alone, or an account that nobody has connected: nothing to review."""
    if lifecycle.identities:
        evidence = Evidence(
            rule=lifecycle.change.value, text="the links of those people, where there were any, have ended"
        )
        return Conclusion(stage=Stage.LIFECYCLE, rule=lifecycle.change.value, evidence=(evidence,))
    evidence = Evidence(rule=UNKNOWN_INSTALLATION, text=REVIEW_REASONS[UNKNOWN_INSTALLATION], against=True)
    return Conclusion(stage=Stage.IGNORED, rule=UNKNOWN_INSTALLATION, evidence=(evidence,))

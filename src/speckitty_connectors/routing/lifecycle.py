"""Follows the provider's own changes: installations, their resources and mappings, links and approvals."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from ..installations import approvals
from ..installations import lifecycle as installations
from ..installations.lifecycle import as_of_the_account
from ..installations.types import Installation
from ..links import lifecycle as links
from ..mappings import lifecycle as mappings
from ..providers.deliveries import Lifecycle
from ..providers.suggestions import Evidence
from .admission import admit
from .types import REVIEW_REASONS, UNKNOWN_INSTALLATION, Conclusion, Interpretation, Ruling, Stage


def rule_on_lifecycle(connection: Connection, interpretation: Interpretation, now: datetime) -> list[Ruling]:
    """Apply a change to every installation that it concerns, and return a ruling for each.

    What reaches over workspaces, an approval or the end of a person's authorisation, is believed only from a
    credential that no customer holds; the hook of one installation may tell who left, for that installation.
    """
    lifecycle = interpretation.outcome
    if not isinstance(lifecycle, Lifecycle):
        return []
    admission = admit(connection, interpretation, lifecycle)
    if any(ruling.conclusion.rule != UNKNOWN_INSTALLATION for ruling in admission.rulings):
        return list(admission.rulings)
    concerned = {installation.id: installation for installation in admission.installations}
    provider, host = interpretation.delivery.provider, interpretation.delivery.host
    own = admission.principal.installation_id
    if own or admission.principal.speaks_for_provider:
        links.revoke(connection, lifecycle, provider, host, now=now, installation_id=own)
    if admission.principal.speaks_for_provider:
        settled = approvals.settle(connection, lifecycle, provider, host, now=now)
        concerned |= {installation.id: installation for installation in settled}
    rulings = [_apply(connection, interpretation, each, lifecycle, now) for each in concerned.values()]
    return rulings or [_of_no_installation(interpretation, admission.principal.workspace, lifecycle)]


def _apply(
    connection: Connection,
    interpretation: Interpretation,
    installation: Installation,
    told: Lifecycle,
    now: datetime,
) -> Ruling:
    lifecycle = as_of_the_account(installation, told)
    changed = installations.apply(
        connection, installation=installation, lifecycle=lifecycle, now=now, follow=mappings.update_states
    )
    evidence = Evidence(
        rule=lifecycle.change.value, text=f"the provider told of it; the installation is {changed.status}"
    )
    return Ruling(
        interpretation=interpretation,
        workspace=changed.workspace,
        installation_id=changed.id,
        conclusion=Conclusion(stage=Stage.LIFECYCLE, rule=lifecycle.change.value, evidence=(evidence,)),
    )


def _of_no_installation(interpretation: Interpretation, workspace: str, lifecycle: Lifecycle) -> Ruling:
    """Rule on what concerns a person alone, or an account that nobody has connected, which is nothing to review."""
    if lifecycle.identities:
        evidence = Evidence(
            rule=lifecycle.change.value, text="the links of those people, where there were any, have ended"
        )
        conclusion = Conclusion(stage=Stage.LIFECYCLE, rule=lifecycle.change.value, evidence=(evidence,))
    else:
        text = REVIEW_REASONS[UNKNOWN_INSTALLATION]
        evidence = Evidence(rule=UNKNOWN_INSTALLATION, text=text, against=True)
        conclusion = Conclusion(stage=Stage.IGNORED, rule=UNKNOWN_INSTALLATION, evidence=(evidence,))
    return Ruling(interpretation=interpretation, workspace=workspace, conclusion=conclusion)

"""Whom a delivery concerns, and whether it can be trusted, before anyone asks what is mapped."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from sqlalchemy import Connection

from ..installations.types import Installation
from ..providers.deliveries import Event, Lifecycle
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from .principals import Principal, PrincipalConflictError, find_installations, find_principal
from .rulings import (
    CONFLICT,
    NOTHING,
    PRINCIPAL_CONFLICT,
    REPLAY_SUSPECT,
    UNKNOWN_INSTALLATION,
    Interpretation,
    Ruling,
)


@frozen(kw_only=True)
class Admission:
    """Whom a delivery concerns.

    Attributes:
        principal: whose credential verified it.
        installations: those that it concerns, where it can be trusted.
        rulings: what was decided at once instead.
    """

    principal: Principal
    installations: Sequence[Installation] = ()
    rulings: Sequence[Ruling] = ()


def admit(connection: Connection, interpretation: Interpretation, outcome: Event | Lifecycle) -> Admission:
    """Return the installations that a delivery concerns, or why a person must look at it."""
    delivery = interpretation.delivery
    principal = find_principal(connection, delivery)
    try:
        found = find_installations(connection, principal, delivery, outcome)
    except PrincipalConflictError as conflict:
        rulings = [_stopped(interpretation, PRINCIPAL_CONFLICT, conflict.installation, sender(outcome))]
        return Admission(principal=principal, rulings=rulings)
    if not found:
        unknown = Ruling.review(
            interpretation, UNKNOWN_INSTALLATION, workspace=principal.workspace, subject=sender(outcome)
        )
        return Admission(principal=principal, rulings=[unknown])
    if delivery.outcome_reason in {CONFLICT, REPLAY_SUSPECT}:
        subject = most_specific(interpretation.manifest, outcome)
        rulings = [_stopped(interpretation, delivery.outcome_reason, each, subject) for each in found]
        return Admission(principal=principal, rulings=rulings)
    return Admission(principal=principal, installations=found)


def most_specific(manifest: Manifest, outcome: Event | Lifecycle) -> ResourceReference:
    """Return the most specific of the resources that a delivery names, or an empty reference."""
    return min(outcome.resources, key=lambda reference: manifest.rank(reference.kind), default=NOTHING)


def sender(outcome: Event | Lifecycle) -> ResourceReference:
    """Return whom a delivery says that it comes from: the account, else the provider's own installation."""
    account = outcome.account
    if account is not None:
        return ResourceReference(kind="account", id=account.id or account.url, key=account.name)
    return ResourceReference(kind="installation" if outcome.installation else "", id=outcome.installation)


def _stopped(
    interpretation: Interpretation, rule: str, installation: Installation, subject: ResourceReference
) -> Ruling:
    return Ruling.review(
        interpretation,
        rule,
        workspace=installation.workspace,
        installation_id=installation.id,
        subject=subject,
    )

"""Whom a delivery concerns, and whether it can be trusted, before anyone asks what is mapped."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from sqlalchemy import Connection, select

from ..credentials.tables import endpoints
from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..inbox.repository import StoredDelivery
from ..installations import repository as installations
from ..installations.types import Installation
from ..providers.accounts import Account
from ..providers.deliveries import Event, Lifecycle
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from ..store.metadata import OPERATOR
from ..subscriptions import repository as subscriptions
from .types import (
    CONFLICT,
    NOTHING,
    PRINCIPAL_CONFLICT,
    REPLAY_SUSPECT,
    UNKNOWN_INSTALLATION,
    Interpretation,
    Ruling,
)


@frozen(kw_only=True)
class Principal:
    """Whose credential verified a delivery: an app's, or that of one installation's own hook.

    Attributes:
        workspace: whose credential it is; the operator's for an app that serves every customer.
        app_id: the app, or empty.
        installation_id: the only installation that it speaks for, or empty for all of the app's.
    """

    workspace: str
    app_id: str
    installation_id: str

    @property
    def speaks_for_provider(self) -> bool:
        """Whether no customer holds the credential, so that it may tell of things in any workspace."""
        return self.workspace == OPERATOR and not self.installation_id


class PrincipalConflictError(Exception):
    """The body names another installation or account than the credential that verified it speaks for."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation.subject)
        self.installation = installation


def find_principal(connection: Connection, delivery: StoredDelivery) -> Principal:
    """Return whose credential verified a delivery; an end point that was removed speaks for nothing."""
    app_id = connection.scalar(
        select(endpoints.c.app_id).where(
            endpoints.c.workspace_id == delivery.workspace, endpoints.c.id == delivery.endpoint_id
        )
    )
    return Principal(workspace=delivery.workspace, app_id=app_id or "", installation_id=delivery.installation_id)


def find_installations(
    connection: Connection, principal: Principal, delivery: StoredDelivery, outcome: Event | Lifecycle
) -> list[Installation]:
    """Return the installations that an outcome concerns, in the order of their ids.

    An app's credential finds the installations of that app alone, in every workspace that connected the
    account; a customer's own app finds those of the customer's workspace alone.

    Raises:
        PrincipalConflictError: the body names what the credential doesn't speak for.
    """
    if principal.installation_id:
        return _of_hook(connection, principal, outcome)
    found = installations.find_live(
        connection,
        provider=delivery.provider,
        host=delivery.host,
        provider_installation_id=outcome.installation,
        account_id=outcome.account.id if outcome.account else "",
        account_url=outcome.account.url if outcome.account else "",
    )
    return [
        installation
        for installation in found
        if installation.app_id == principal.app_id
        and principal.workspace in {OPERATOR, installation.workspace}
        and _was_sent_for(connection, installation, outcome)
    ]


def _was_sent_for(connection: Connection, installation: Installation, outcome: Event | Lifecycle) -> bool:
    """Return whether one of the webhooks that the delivery names, if it names any, is the installation's."""
    if not isinstance(outcome, Event) or not outcome.registrations:
        return True
    return subscriptions.holds_any(connection, installation, outcome.registrations)


def _of_hook(connection: Connection, principal: Principal, outcome: Event | Lifecycle) -> list[Installation]:
    try:
        installation = installations.get(connection, InstallationKey.of(principal))
    except NotFoundError:
        return []
    account = outcome.account or Account(id="")
    named = (outcome.installation, account.id, "" if account.id else account.url)
    held = (installation.provider_installation_id, installation.account_id, installation.account_url)
    if any(says and has and says != has for says, has in zip(named, held, strict=True)):
        raise PrincipalConflictError(installation)
    return [installation]


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

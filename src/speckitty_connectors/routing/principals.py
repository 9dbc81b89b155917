"""Which installations a verified delivery concerns: the credential chooses, the body may only narrow."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection, select

from ..credentials.tables import endpoints
from ..errors import NotFoundError
from ..inbox.repository import StoredDelivery
from ..installations import repository as installations
from ..installations.types import Installation
from ..providers.accounts import Account
from ..providers.deliveries import Event, Lifecycle
from ..store.metadata import OPERATOR
from ..subscriptions import repository as subscriptions


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
    return subscriptions.holds_any(
        connection,
        workspace=installation.workspace,
        installation_id=installation.id,
        registrations=outcome.registrations,
    )


def _of_hook(connection: Connection, principal: Principal, outcome: Event | Lifecycle) -> list[Installation]:
    try:
        installation = installations.get(
            connection, workspace=principal.workspace, installation_id=principal.installation_id
        )
    except NotFoundError:
        return []
    account = outcome.account or Account(id="")
    named = (outcome.installation, account.id, "" if account.id else account.url)
    held = (installation.provider_installation_id, installation.account_id, installation.account_url)
    if any(says and has and says != has for says, has in zip(named, held, strict=True)):
        raise PrincipalConflictError(installation)
    return [installation]

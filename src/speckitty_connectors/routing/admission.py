"""Whom deliveries concern, and whether they can be trusted, before anyone asks what is mapped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from attrs import evolve, field, frozen
from sqlalchemy import ColumnElement, Connection, and_, or_, select, tuple_

from ..installations.repository import read_installation
from ..installations.statuses import LIVE
from ..installations.tables import installations
from ..installations.types import Installation
from ..providers.accounts import Account
from ..providers.deliveries import Event, Lifecycle
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from ..resources.tables import resource_keys, resources
from ..resources.types import ResourceStatus
from ..store.metadata import OPERATOR
from ..store.rows import rows_among
from ..subscriptions.repository import webhooks
from .batch import Case, Interpretation, most_specific, sender
from .types import (
    CONFLICT,
    NOTHING,
    PRINCIPAL_CONFLICT,
    REPLAY_SUSPECT,
    UNKNOWN_INSTALLATION,
    InstallationId,
)


@frozen(kw_only=True)
class Tenants:
    """What says whom some deliveries concern.

    Attributes:
        connected: the installations that any of them could concern, in the order of their ids.
        registrations: installation → the provider's ids of its webhooks; an empty one isn't known yet.
        labelled: installation, kind (or empty for any) and key → the ids of its active resources of that key today.
    """

    connected: Mapping[InstallationId, Installation]
    registrations: Mapping[InstallationId, Set[str]] = field(factory=dict)
    labelled: Mapping[tuple[InstallationId, str, str], Set[str]] = field(factory=dict)

    def identified(self, installation: Installation, event: Event) -> Event:
        """Return an event with an id for each resource that has a key alone, where one resource has that key."""
        if all(reference.id for reference in event.resources):
            return event
        references = (
            reference if reference.id else self._identified(installation, reference)
            for reference in event.resources
        )
        return evolve(event, resources=tuple(references))

    def _identified(self, installation: Installation, reference: ResourceReference) -> ResourceReference:
        spot = ((installation.workspace, installation.id), reference.kind, reference.key)
        ids = self.labelled.get(spot, frozenset())
        return evolve(reference, id=next(iter(ids))) if len(ids) == 1 else reference


def admit(interpretation: Interpretation, tenants: Tenants) -> list[Case]:
    """Return a case for each installation that an event or a lifecycle concerns, or why a person must look at it.

    An app's credential finds the installations of that app alone, in every workspace that connected the account; a
    customer's own app finds those of the customer's workspace alone. The hook of one installation speaks for that.
    """
    delivery, outcome = interpretation.delivery, interpretation.outcome
    if not isinstance(outcome, Event | Lifecycle):
        return []
    own = tenants.connected.get((delivery.workspace, delivery.installation_id))
    if own is not None and not _is_of_account(own, outcome):
        return [_case(interpretation, outcome, own, doubt=PRINCIPAL_CONFLICT, subject=sender(outcome))]
    if delivery.installation_id:
        found = [own] if own is not None else []
    else:
        found = [each for each in tenants.connected.values() if _concerns(interpretation, outcome, each, tenants)]
    if not found:
        return [_case(interpretation, outcome, None, doubt=UNKNOWN_INSTALLATION, subject=sender(outcome))]
    doubt = delivery.outcome_reason if delivery.outcome_reason in {CONFLICT, REPLAY_SUSPECT} else ""
    return [_of_one(interpretation, outcome, each, tenants, doubt) for each in found]


def _of_one(
    interpretation: Interpretation, outcome: Event | Lifecycle, here: Installation, tenants: Tenants, doubt: str
) -> Case:
    """Return the case of a delivery for one of the installations that it concerns."""
    event = tenants.identified(here, outcome) if isinstance(outcome, Event) and not doubt else None
    subject = most_specific(interpretation.manifest, event or outcome)
    return _case(interpretation, outcome, here, event=event, doubt=doubt, subject=subject)


def _is_of_account(own: Installation, outcome: Event | Lifecycle) -> bool:
    """Return whether a body names nothing but the account of the installation whose hook it came by."""
    account = outcome.account or Account(id="")
    named = (outcome.installation, account.id, "" if account.id else account.url)
    held = (own.provider_installation_id, own.account_id, own.account_url)
    return all(not says or not has or says == has for says, has in zip(named, held, strict=True))


def _concerns(
    interpretation: Interpretation, outcome: Event | Lifecycle, installation: Installation, tenants: Tenants
) -> bool:
    """Return whether the credential of an app speaks for an installation, and the delivery names it."""
    delivery = interpretation.delivery
    return (
        installation.status in LIVE
        and (installation.provider, installation.host) == (delivery.provider, delivery.host)
        and installation.app_id == interpretation.app_id
        and delivery.workspace in {OPERATOR, installation.workspace}
        and _is_named(installation, outcome)
        and _was_sent_for(installation, outcome, tenants)
    )


def _is_named(installation: Installation, outcome: Event | Lifecycle) -> bool:
    """Return whether a delivery names an installation.

    The provider's own id of the installation decides. An account id finds those that have no such id, and all of
    the account's where the delivery names no installation; its address does where the delivery knows no id of it.
    """
    account = outcome.account or Account(id="")
    named, held = account.id, installation.account_id
    if not account.id:
        named, held = account.url, installation.account_url
    is_of_account = bool(named) and named == held
    if not outcome.installation:
        return is_of_account
    own_id = installation.provider_installation_id
    return own_id == outcome.installation or (not own_id and is_of_account)


def _was_sent_for(installation: Installation, outcome: Event | Lifecycle, tenants: Tenants) -> bool:
    """Return whether one of the webhooks that a delivery names, if it names any, is the installation's."""
    if not isinstance(outcome, Event) or not outcome.registrations:
        return True
    known = tenants.registrations.get((installation.workspace, installation.id), frozenset())
    return not known.isdisjoint({"", *outcome.registrations})


def _case(
    interpretation: Interpretation,
    outcome: Event | Lifecycle,
    installation: Installation | None,
    *,
    event: Event | None = None,
    doubt: str = "",
    subject: ResourceReference = NOTHING,
) -> Case:
    delivery = interpretation.delivery
    return Case(
        key=(installation.workspace, installation.id) if installation else (delivery.workspace, ""),
        provider=delivery.provider,
        host=delivery.host,
        outcome=outcome,
        manifest=interpretation.manifest,
        subject=subject,
        delivery=delivery,
        installation=installation,
        event=event,
        doubt=doubt,
    )


def load_cases(connection: Connection, interpretations: Sequence[Interpretation]) -> list[Case]:
    """Return the cases that events and lifecycles are, in their order."""
    outcomes = [each.outcome for each in interpretations if isinstance(each.outcome, Event | Lifecycle)]
    connected = {
        (each.workspace, each.id): each for each in _find_installations(connection, interpretations, outcomes)
    }
    tenants = Tenants(
        connected=connected,
        registrations=_load_registrations(connection, connected, outcomes),
        labelled=_load_labels(connection, connected, outcomes),
    )
    return [case for each in interpretations for case in admit(each, tenants)]


def _find_installations(
    connection: Connection, interpretations: Sequence[Interpretation], outcomes: Sequence[Event | Lifecycle]
) -> list[Installation]:
    """Return the installations that any of these could concern, **across workspaces**, by their ids."""
    columns, deliveries = installations.c, [each.delivery for each in interpretations]
    hooks = {(each.workspace, each.installation_id) for each in deliveries if each.installation_id}
    accounts = [each.account for each in outcomes if each.account]
    named = (
        (columns.account_id, {each.id for each in accounts}),
        (columns.account_url, {each.url for each in accounts if not each.id}),
        (columns.provider_installation_id, {each.installation for each in outcomes}),
    )
    at_providers = and_(
        columns.provider.in_({each.provider for each in deliveries}),
        columns.host.in_({each.host for each in deliveries}),
        columns.status.in_(LIVE),
    )
    conditions: list[ColumnElement[bool]] = [
        and_(at_providers, column.in_(wanted)) for column, ids in named if (wanted := ids - {""})
    ]
    if hooks:
        conditions.append(tuple_(columns.workspace_id, columns.id).in_(hooks))
    if not conditions:
        return []
    rows = connection.execute(select(installations).where(or_(*conditions)).order_by(columns.id))
    return [read_installation(row) for row in rows]


def _load_registrations(
    connection: Connection, connected: Collection[InstallationId], outcomes: Iterable[Event | Lifecycle]
) -> Mapping[InstallationId, Set[str]]:
    """Return the registered webhooks of installations, where any event says by which of them it was sent."""
    found: dict[InstallationId, set[str]] = defaultdict(set)
    if not any(isinstance(each, Event) and each.registrations for each in outcomes):
        return found
    identity = (webhooks.c.workspace_id, webhooks.c.installation_id)
    query = select(*identity, webhooks.c.registration).where(webhooks.c.due_at.is_not(None))
    for row in rows_among(connection, query, identity, connected):
        found[row.workspace_id, row.installation_id].add(row.registration)
    return found


def _load_labels(
    connection: Connection, connected: Collection[InstallationId], outcomes: Iterable[Event | Lifecycle]
) -> Mapping[tuple[InstallationId, str, str], Set[str]]:
    """Return the active resources that have a key today, for the keys of what events name without an id."""
    keys = {
        reference.key
        for each in outcomes
        if isinstance(each, Event)
        for reference in each.resources
        if reference.key and not reference.id
    }
    found: dict[tuple[InstallationId, str, str], set[str]] = defaultdict(set)
    if not keys:
        return found
    columns, called = resources.c, resource_keys.c
    same = and_(
        called.workspace_id == columns.workspace_id, called.resource_id == columns.id, called.key == columns.key
    )
    query = (
        select(columns.workspace_id, columns.installation_id, columns.kind, columns.external_id, columns.key)
        .join(resource_keys, same)
        .where(columns.status == ResourceStatus.ACTIVE)
    )
    wanted = {(workspace, key) for workspace, _ in connected for key in keys}
    for row in rows_among(connection, query, (called.workspace_id, called.key), wanted):
        for kind in (row.kind, ""):
            found[(row.workspace_id, row.installation_id), kind, row.key].add(row.external_id)
    return found


def open_cases(
    connection: Connection, installation: Installation, events: Sequence[Event], manifest: Manifest
) -> list[Case]:
    """Return the cases of events that come through an installation, without a look at who sent them."""
    connected = {(installation.workspace, installation.id): installation}
    tenants = Tenants(connected=connected, labelled=_load_labels(connection, connected, events))
    return [Case.of_event(installation, tenants.identified(installation, event), manifest) for event in events]

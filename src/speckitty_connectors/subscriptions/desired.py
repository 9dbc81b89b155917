"""What webhooks there should be, judged by what is mapped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from ..installations import repository
from ..installations.statuses import InstallationStatus, StatusReason, with_detail
from ..installations.types import Installation
from ..mappings import repository as mappings
from ..mappings.types import Direction, MappingState
from ..providers.resources import ResourceReference
from ..providers.subscriptions import SubscriptionRules, SubscriptionScope
from ..store.audit import record_change
from ..store.engine import Store
from .types import Webhook, wanted_in


def mapped_resources(connection: Connection, installation: Installation) -> list[ResourceReference]:
    """Return the resources from which events are to come; what is paused may go on at any time."""
    known = mappings.list_all(connection, workspace=installation.workspace, installation_id=installation.id)
    named = {
        (mapping.resource_kind, mapping.resource_external_id): mapping.resource_key
        for mapping in known
        if mapping.state is not MappingState.ORPHANED and mapping.direction is not Direction.OUT
    }
    return [ResourceReference(kind=kind, id=external_id, key=key) for (kind, external_id), key in named.items()]


def scopes_to_try(rules: SubscriptionRules, there: Sequence[Webhook]) -> Sequence[SubscriptionScope]:
    """Return the scope that is in use, or all of them, the best first, where none is."""
    in_use = [scope for scope in rules.scopes if any(webhook.scope == scope for webhook in there)]
    return in_use[:1] or rules.scopes


def is_as_wanted(rules: SubscriptionRules, there: Sequence[Webhook], mapped: Sequence[ResourceReference]) -> bool:
    """Return whether what is registered is what should be; what a person made by hand always is."""
    if not there or any(webhook.is_by_hand for webhook in there):
        return bool(there)
    wanted = wanted_in(scopes_to_try(rules, there)[0], mapped)
    return {webhook.covers for webhook in there} == {each.covers for each in wanted}


OURS: Final = (StatusReason.WEBHOOKS_INCOMPLETE, StatusReason.WEBHOOK_REMOVED)
"""The reasons that webhooks alone can end."""


def conclude(store: Store, installation: Installation, fault: str) -> None:
    """Degrade an active installation that has a fault, and end the degradation where there is none any more."""
    with store.transaction() as connection:
        known = repository.get(connection, installation, lock=True)
        status = InstallationStatus.DEGRADED if fault else InstallationStatus.ACTIVE
        reason = with_detail(StatusReason.WEBHOOKS_INCOMPLETE, fault) if fault else ""
        if _may_change(known) and (status, reason) != (known.status, known.status_reason):
            _change(connection, known, status, reason, store.now())


def _may_change(known: Installation) -> bool:
    """Return whether webhooks have a say in the status: not where something else is wrong."""
    if known.status is InstallationStatus.DEGRADED:
        return known.status_reason.startswith(OURS)
    return known.status is InstallationStatus.ACTIVE


def _change(
    connection: Connection, known: Installation, status: InstallationStatus, reason: str, now: datetime
) -> None:
    changed = repository.set_status(connection, known, status, at=now, reason=reason)
    verb = "degraded" if reason else "recovered"
    record_change(connection, known, changed, verb, actor="subscriptions", at=now, reason=reason)

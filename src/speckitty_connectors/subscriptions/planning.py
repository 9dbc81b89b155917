"""What webhooks there should be, judged by what is mapped."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ..installations.types import Installation
from ..mappings import repository as mappings
from ..mappings.types import Direction, MappingState
from ..providers.resources import ResourceReference
from ..providers.subscriptions import SubscriptionRules, SubscriptionScope
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

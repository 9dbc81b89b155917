"""Changes of an account that is told of as a resource: a connected group can be mapped like any other."""

from __future__ import annotations

from attrs import evolve

from ..providers.accounts import Account
from ..providers.deliveries import Change, Lifecycle
from .types import Installation


def as_of_the_account(installation: Installation, lifecycle: Lifecycle) -> Lifecycle:
    """Return a change as one of the installation's account, where the resource that it is about is the account.

    That is so where both have one kind and one id. Every other change is returned as it is.
    """
    itself = next(
        (
            resource
            for resource in lifecycle.resources
            if (resource.kind, resource.id) == (installation.account_kind, installation.account_id)
        ),
        None,
    )
    if itself is None:
        return lifecycle
    account = Account(id=itself.id, name=itself.key, kind=itself.kind)
    if lifecycle.change is Change.RESOURCE_DELETED:
        return evolve(lifecycle, change=Change.ACCOUNT_DELETED, account=account)
    return evolve(lifecycle, account=account)

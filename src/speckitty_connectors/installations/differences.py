"""What differs between an installation here and on the provider's side, why it matters, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from attrs import frozen

from ..providers.accounts import Account
from ..providers.deliveries import Change, Lifecycle
from .provider_side import ProviderInstallation
from .types import GONE, Installation, InstallationStatus


class DifferenceKind(StrEnum):
    """What differs."""

    GONE_THERE = "gone_there"
    SUSPENDED_THERE = "suspended_there"
    RESUMED_THERE = "resumed_there"
    RENAMED_THERE = "renamed_there"
    SCOPES_CHANGED_THERE = "scopes_changed_there"
    CONNECTED_THERE = "connected_there"
    UNREACHABLE = "unreachable"


@frozen(kw_only=True)
class Difference:
    """One difference between an installation here and on the provider's side.

    Attributes:
        installation: as it stands here.
        kind: what differs.
        text: what that means, for a person.
        fix: what `Upkeep.fix` would apply, as if the provider had told of it; None where only a person can mend it.
        remedy: what the person does.
    """

    installation: Installation
    kind: DifferenceKind
    text: str
    fix: Lifecycle | None = None
    remedy: str = "apply the fix"


def compare(here: Installation, listed: Sequence[ProviderInstallation]) -> Iterator[Difference]:
    """Yield the differences between an installation and a complete list of the provider's."""
    there = _same(here, listed)
    if here.status in GONE:
        if there is not None and here.status is InstallationStatus.REMOVED:
            yield Difference(
                installation=here,
                kind=DifferenceKind.CONNECTED_THERE,
                text="it is installed on the provider's side, but not connected here",
                remedy=here.next_step.text,
            )
    elif there is None:
        yield Difference(
            installation=here,
            kind=DifferenceKind.GONE_THERE,
            text="it isn't installed on the provider's side any more, so no deliveries can come",
            fix=Lifecycle(change=Change.UNINSTALLED),
        )
    else:
        yield from _details(here, there)


def _same(here: Installation, listed: Sequence[ProviderInstallation]) -> ProviderInstallation | None:
    """Return the entry of this very installation, else of its account: a re-install gives it another id."""
    by_id = (each for each in listed if here.provider_installation_id == each.id)
    by_account = (each for each in listed if here.account_id == each.account.id)
    return next(by_id, None) or next(by_account, None)


def _details(here: Installation, there: ProviderInstallation) -> Iterator[Difference]:
    if there.is_suspended != (here.status is InstallationStatus.SUSPENDED):
        yield Difference(
            installation=here,
            kind=DifferenceKind.SUSPENDED_THERE if there.is_suspended else DifferenceKind.RESUMED_THERE,
            text="it is suspended there" if there.is_suspended else "it isn't suspended there any more",
            fix=Lifecycle(change=Change.SUSPENDED if there.is_suspended else Change.RESUMED),
        )
    if there.account.name and there.account.name != here.account_name:
        yield Difference(
            installation=here,
            kind=DifferenceKind.RENAMED_THERE,
            text=f"its account is called {there.account.name} by now",
            fix=Lifecycle(
                change=Change.ACCOUNT_RENAMED, account=Account(id=here.account_id, name=there.account.name)
            ),
        )
    if there.scopes is not None and set(there.scopes) != set(here.scopes):
        yield Difference(
            installation=here,
            kind=DifferenceKind.SCOPES_CHANGED_THERE,
            text="other permissions are granted there than are known here",
            fix=Lifecycle(change=Change.SCOPES_CHANGED, scopes=there.scopes),
        )

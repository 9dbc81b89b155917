"""What differs between an installation here and on the provider's side, why it matters, and what fixes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from attrs import frozen

from ..providers.accounts import Account, App
from ..providers.api import ApiSession
from ..providers.deliveries import Change, Lifecycle
from ..providers.oauth import InstallationListing
from .statuses import GONE, InstallationStatus
from .types import Installation

MOST_PAGES: Final = 1_000
"""Pages that are followed: a hundred thousand installations at a hundred a page."""


@frozen(kw_only=True)
class ProviderInstallation:
    """An installation as the provider lists it.

    Attributes:
        id: the provider's own id of it.
        account: the account.
        is_suspended: whether it is suspended there.
        scopes: what is granted, as `Connected.scopes` names it; None where the provider doesn't say.
    """

    id: str
    account: Account
    is_suspended: bool
    scopes: tuple[str, ...] | None


def list_provider_side(session: ApiSession, app: App, rules: InstallationListing) -> list[ProviderInstallation]:
    """Return where the app is installed; `session` speaks as the app.

    Raises:
        ApiError: a page could not be had, so that nobody takes a part for the whole.
    """
    return [found for entry in _entries(session, app, rules) if (found := _read(entry, rules)) is not None]


def _entries(session: ApiSession, app: App, rules: InstallationListing) -> Iterator[object]:
    url = rules.url.replace("{api}", app.urls.api)
    for _ in range(MOST_PAGES):
        response = session.get(url)
        entries = _field(response.json(), rules.entries)
        yield from entries if isinstance(entries, list) else ()
        url = response.next_link
        if not url:
            return


def _read(entry: object, rules: InstallationListing) -> ProviderInstallation | None:
    found = [_text(_field(entry, path)) for path in (rules.id, rules.account_id)]
    if not all(found):
        return None
    return ProviderInstallation(
        id=found[0],
        account=Account(
            id=found[1],
            name=_text(_field(entry, rules.account_name)),
            kind=_text(_field(entry, rules.account_kind)).lower(),
        ),
        is_suspended=bool(rules.suspended) and bool(_field(entry, rules.suspended)),
        scopes=_scopes(_field(entry, rules.scopes)) if rules.scopes else None,
    )


def _field(document: object, path: str) -> object:
    """Return a field of a document, named with a dot between the levels; the document itself for no name."""
    for name in path.split(".") if path else ():
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _scopes(value: object) -> tuple[str, ...] | None:
    if isinstance(value, dict):
        return tuple(sorted(f"{name}:{level}" for name, level in value.items()))
    return tuple(sorted(map(str, value))) if isinstance(value, list) else None


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
        installation: as it is here.
        kind: what differs.
        text: what that means, for a person.
        fix: what `Upkeep.fix` would apply, as if the provider had announced it; None where only a person can.
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

"""Where an app is installed according to the provider, read by the manifest's rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from ..providers.accounts import Account, App
from ..providers.api import ApiSession
from ..providers.oauth import InstallationListing

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

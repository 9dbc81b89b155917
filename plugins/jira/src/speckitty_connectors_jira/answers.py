"""What is read of the API's answers, and where it is asked.

Names in quotation marks are those of Atlassian's pages and of its description of the REST API.
"""

from __future__ import annotations

import msgspec

from speckitty_connectors.plugin import Account, ApiSession, App, ExternalIdentity, read_answer

from .addresses import address

SITES = "/oauth/token/accessible-resources"
"""The sites of a grant, for each product ("OAuth 2.0 (3LO) apps", section "Get the cloudid for your site")."""

PERSON = "/me"
"""The person whose grant it is ("User identity API"; needs the scope ``read:me``)."""

SERVER = "/rest/api/2/serverInfo"
SERVER_PERSON = "/rest/api/2/myself"
"""The same two of Data Center ("Get server info", "Get current user")."""

NOBODY = "unknown"
"""The account id of a person who was deleted ("Get current user")."""


class Site(msgspec.Struct):
    """A site as one product of it is reached; several entries may have one id, a cloud id."""

    id: str
    name: str
    url: str
    scopes: list[str] = []

    @property
    def is_of_jira(self) -> bool:
        """Whether it is Jira that is reached: nothing but the scopes tells the products apart."""
        return any(":jira-" in scope or scope.endswith(":jira") for scope in self.scopes)


class Person(msgspec.Struct):
    """A person of Atlassian's; the id is the same in every product."""

    account_id: str
    name: str = ""
    account_type: str = ""


class Server(msgspec.Struct, rename="camel"):
    """A Data Center instance."""

    base_url: str
    server_title: str = ""


class ServerPerson(msgspec.Struct, rename="camel"):
    """A user of a Data Center instance; the key stays when the name changes."""

    key: str
    display_name: str = ""


def sites_of(session: ApiSession, app: App) -> tuple[Account, ...]:
    """Return the Jira sites that a grant reaches, each once."""
    found = read_answer(session.get(app.urls.api + SITES), list[Site])
    sites = {site.id: site for site in found if site.is_of_jira}
    return tuple(Account(id=site.id, name=site.name, kind="site", url=address(site.url)) for site in sites.values())


def server_of(session: ApiSession, app: App) -> Account:
    """Return a Data Center instance; it has no id but its base URL, under which the operator registered it."""
    server = read_answer(session.get(SERVER), Server)
    return Account(id=address(app.urls.web), name=server.server_title, kind="server", url=address(server.base_url))


def who_is_it(session: ApiSession, app: App) -> ExternalIdentity:
    """Return the person in whose name a session speaks; without an id where they were deleted."""
    if app.self_managed:
        user = read_answer(session.get(SERVER_PERSON), ServerPerson)
        return ExternalIdentity(id=user.key, name=user.display_name, kind="user")
    person = read_answer(session.get(app.urls.api + PERSON), Person)
    known = "" if person.account_id == NOBODY else person.account_id
    return ExternalIdentity(id=known, name=person.name, kind=person.account_type)

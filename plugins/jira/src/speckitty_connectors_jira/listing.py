"""Listing projects: live, archived and binned ones, with the keys that they had before."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec

from speckitty_connectors.plugin import (
    Account,
    AccountGoneError,
    Listing,
    Resource,
    ResourcePage,
    hookimpl,
    read_answer,
)

from .answers import server_of, sites_of
from .manifest import PAGE_SIZE, PROJECT

SEARCH = "/rest/api/3/project/search"
"""A page of projects: "Get projects paginated"."""

SEARCHED = (("expand", "projectKeys"), ("status", "live"), ("status", "archived"), ("status", "deleted"))
"""What is asked of each page: every key that a project has had, and the states that no app is notified of."""

ALL = "/rest/api/2/project"
"""All projects at once: "Get all projects" of Data Center, which has no pages."""

ALL_ASKED = {"expand": "projectKeys", "includeArchived": "true"}


class Project(msgspec.Struct, rename="camel"):
    """A project of a listing; the id is a number in text."""

    id: str
    key: str
    name: str = ""
    project_keys: list[str] = []
    project_type_key: str = ""
    style: str = ""
    is_private: bool = False
    archived: bool = False
    deleted: bool = False


class Projects(msgspec.Struct, rename="camel"):
    """A page of them."""

    values: list[Project]
    is_last: bool = False
    total: int | None = None


@hookimpl
def list_resources(listing: Listing) -> Iterator[ResourcePage]:
    """Yield the pages, each with the index of the next project as its cursor.

    Before the first one the account is looked up: its removal, and its new name or address, are told nowhere else.
    """
    if listing.app.self_managed:
        yield _whole_server(listing)
        return
    account = None if listing.cursor else _site_of_today(listing)
    site = (account or listing.account).url
    start = int(listing.cursor or 0)
    size = min(listing.page_size, PAGE_SIZE)
    while True:
        query = urlencode([("startAt", str(start)), ("maxResults", str(size)), *SEARCHED])
        page = read_answer(listing.session.get(f"{SEARCH}?{query}"), Projects)
        # As many as came, not as were asked for: Jira may give fewer.
        start += len(page.values)
        cursor = "" if page.is_last or not page.values else str(start)
        resources = tuple(_resource(project, site) for project in page.values)
        yield ResourcePage(resources=resources, cursor=cursor, account=account, total=page.total)
        account = None
        if not cursor:
            return


def _site_of_today(listing: Listing) -> Account:
    """Return the site as the grant reaches it now.

    Raises:
        AccountGoneError: it isn't among them.
    """
    for site in sites_of(listing.session, listing.app):
        if site.id == listing.account.id:
            return site
    raise AccountGoneError(
        "the site isn't among those of the grant any more",
        subject=listing.account.name or listing.account.id,
        remedy="connect the site again, or ask its administrator whether the app was removed",
    )


def _whole_server(listing: Listing) -> ResourcePage:
    account = server_of(listing.session, listing.app)
    found = read_answer(listing.session.get(ALL, parameters=ALL_ASKED), list[Project])
    return ResourcePage(resources=tuple(_resource(project, account.url) for project in found), account=account)


def _resource(project: Project, site: str) -> Resource:
    return Resource(
        kind=PROJECT,
        id=project.id,
        key=project.key,
        # The API's own links lead to api.atlassian.com, which has no pages for people.
        url=f"{site}/browse/{project.key}" if site else "",
        archived=project.archived,
        deleted=project.deleted,
        private=project.is_private,
        former_keys=tuple(key for key in project.project_keys if key != project.key),
        attributes={"name": project.name, "type": project.project_type_key, "style": project.style},
    )

"""Listing a group with all that is in it: its projects, its subgroups to any depth, and what belongs where.

Ids are asked for, never paths: proxies that decode ``%2F`` break those ("REST API": "Namespaced paths").
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from speckitty_connectors.plugin import (
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiResponse,
    Listing,
    Resource,
    ResourcePage,
    hookimpl,
    read_answer,
)

from .answers import Group, Project
from .manifest import GROUP, PAGE_SIZE, PROJECT

TOTAL_HEADER = "X-Total"
SIZE_HEADER = "X-Per-Page"
"""How many entries a list has on all pages, and a page at most ("REST API", "Other pagination headers"). GitLab
leaves the first out where it pages by key, and above 10,000."""

GROUP_ALONE = "/groups/{}?with_projects=false"
"""The group itself: "Retrieve a group" ("Groups API")."""

PROJECTS = "/groups/{}/projects"
"""The projects of a group and of all groups in it: "List projects in a group"."""

SUBGROUPS = "/groups/{}/subgroups"
"""The groups directly in a group: "List subgroups"."""


@hookimpl
def list_resources(listing: Listing) -> Iterator[ResourcePage]:
    """Yield the pages; the cursor is the list of what is left to ask, so that a listing resumes anywhere.

    Pages are followed by their links, whether GitLab counts them or pages by key ("REST API": "Pagination"). Where
    a group inside refuses, the groups in it are skipped; all projects are listed by the account itself.
    """
    left = _read_cursor(listing.cursor) or _beginning(listing)
    while left:
        url, *left = left
        try:
            response = listing.session.get(url)
        except (ApiForbiddenError, ApiNotFoundError) as error:
            inside = _group_inside(url, listing)
            if not inside:
                raise
            yield ResourcePage(resources=(), cursor=_cursor(left), skipped=(f"group {inside}: {error.what}",))
            continue
        found = _resources(url, response)
        _check_total(url, response, len(found))
        left = [*filter(None, [response.next_link]), *left]
        if urlsplit(url).path.endswith("/subgroups"):
            left += [_subgroups(listing, group.id) for group in found]
        yield ResourcePage(resources=tuple(found), cursor=_cursor(left))


def _group_inside(url: str, listing: Listing) -> str:
    """Return the id of the group whose groups are listed, or empty where it is the account itself."""
    group, _, what = urlsplit(url).path.rpartition("/")
    group_id = group.rpartition("/")[2]
    return group_id if what == "subgroups" and group_id != listing.account.id else ""


def _check_total(url: str, response: ApiResponse, given: int) -> None:
    """Refuse a last page that comes before everything that GitLab counts was given.

    Raises:
        ApiError: more is counted than was given.
    """
    total, size = (response.headers.get(name, "") for name in (TOTAL_HEADER, SIZE_HEADER))
    page = dict(parse_qsl(urlsplit(url).query)).get("page", "1")
    if response.next_link or not total.isdecimal() or not (page == "1" or (page.isdecimal() and size.isdecimal())):
        return
    before = (int(page) - 1) * int(size or 0) if page != "1" else 0
    if before + given < int(total):
        raise ApiError(
            f"GitLab counts {total} resources, and gave {before + given}",
            subject=urlsplit(url).path,
            remedy="list again; nothing is taken for missing",
        )


def _beginning(listing: Listing) -> list[str]:
    size = min(listing.page_size, PAGE_SIZE)
    # Projects that a group merely shares belong to another group.
    query = {"include_subgroups": "true", "with_shared": "false", "order_by": "id", "sort": "asc", "per_page": size}
    account = listing.account.id
    projects = f"{PROJECTS.format(account)}?{urlencode(query)}"
    return [GROUP_ALONE.format(account), projects, _subgroups(listing, account)]


def _subgroups(listing: Listing, group_id: str) -> str:
    query = {"order_by": "id", "sort": "asc", "per_page": min(listing.page_size, PAGE_SIZE)}
    return f"{SUBGROUPS.format(group_id)}?{urlencode(query)}"


def _cursor(left: list[str]) -> str:
    return msgspec.json.encode(left).decode() if left else ""


def _read_cursor(cursor: str) -> list[str]:
    return msgspec.json.decode(cursor, type=list[str]) if cursor else []


def _resources(url: str, response: ApiResponse) -> list[Resource]:
    path = urlsplit(url).path
    if path.endswith("/projects"):
        return [_project(project) for project in read_answer(response, list[Project])]
    groups = read_answer(response, list[Group]) if path.endswith("/subgroups") else [read_answer(response, Group)]
    return [_group(group) for group in groups]


def _project(project: Project) -> Resource:
    return Resource(
        kind=PROJECT,
        id=str(project.id),
        key=project.path_with_namespace,
        url=project.web_url,
        parent_id=str(project.namespace.id) if project.namespace and project.namespace.kind == GROUP else "",
        archived=project.archived,
        private=project.visibility != "public",
        attributes={
            "name": project.name,
            "default_branch": project.default_branch or "",
            "visibility": project.visibility or "",
            # It can be restored until then ("Delayed project deletion").
            "deleted_on": project.marked_for_deletion_on or "",
        },
    )


def _group(group: Group) -> Resource:
    return Resource(
        kind=GROUP,
        id=str(group.id),
        key=group.full_path,
        url=group.web_url,
        parent_id=str(group.parent_id or ""),
        private=group.visibility != "public",
        attributes={
            "name": group.name,
            "visibility": group.visibility or "",
            "deleted_on": group.marked_for_deletion_on or "",
        },
    )

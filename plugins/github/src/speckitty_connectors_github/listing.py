"""Listing repositories: what the app was given, or the part of it that one member may see."""

from __future__ import annotations

from collections.abc import Iterator

from speckitty_connectors.plugin import Listing, Resource, ResourcePage, hookimpl, read_answer

from .answers import Repositories, Repository
from .manifest import PAGE_SIZE, REPOSITORY

INSTALLED = "/installation/repositories"
"""What the app was given: "List repositories accessible to the app installation"."""

VISIBLE = "/user/installations/{}/repositories"
"""What a member sees of it: "List repositories accessible to the user access token"."""


@hookimpl
def list_resources(listing: Listing) -> Iterator[ResourcePage]:
    """Yield the pages, each with the link of the next one as its cursor.

    GitHub asks clients to follow its links and neither build nor read them ("Best practices for using the REST
    API").
    """
    response = (
        listing.session.get(listing.cursor)
        if listing.cursor
        else listing.session.get(
            VISIBLE.format(listing.installation) if listing.as_member else INSTALLED,
            parameters={"per_page": str(min(listing.page_size, PAGE_SIZE))},
        )
    )
    while True:
        page = read_answer(response, Repositories)
        resources = tuple(map(_resource, page.repositories))
        yield ResourcePage(resources=resources, cursor=response.next_link, total=page.total_count)
        if not response.next_link:
            return
        response = listing.session.get(response.next_link)


def _resource(repository: Repository) -> Resource:
    return Resource(
        kind=REPOSITORY,
        id=str(repository.id),
        key=repository.full_name,
        url=repository.html_url,
        archived=repository.archived,
        private=repository.private,
        attributes={
            "owner": repository.owner.login,
            "owner_id": str(repository.owner.id),
            "name": repository.name,
            "default_branch": repository.default_branch or "",
            "visibility": repository.visibility or ("private" if repository.private else "public"),
        },
    )

"""What a provider lets one map: repositories, projects, groups, teams, channels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from .accounts import Account


@frozen(kw_only=True)
class ResourceReference:
    """The mention of a resource in an event.

    The identity is (provider, host, `kind`, `id`). `key` is the label the provider gave in this mention; it
    refreshes what people are shown and decides nothing; only where a delivery knows no `id` at all, the resource
    of that key today is meant. `named_at` is the provider's own time of the resource in this mention, in UTC, or
    None where it states none: a key of an earlier time than the known one changes no label.

    >>> ResourceReference(kind="repository", id="1296269", key="octo-org/hello").id
    '1296269'
    """

    kind: str
    id: str
    key: str = ""
    named_at: datetime | None = field(default=None, eq=False)

    @property
    def place(self) -> tuple[str, str]:
        """Kind and id: the whole identity under one installation."""
        return self.kind, self.id


@frozen(kw_only=True)
class Resource:
    """A resource as a listing describes it.

    Attributes:
        kind: one of the manifest's resource kinds.
        id: the provider's immutable id, as text.
        key: the display key of today, for example ``octo-org/hello``.
        url: a page about it, or empty.
        parent_id: id of the resource that contains it, or empty.
        archived: whether the provider says that it takes no more changes.
        deleted: whether it lies in the provider's bin, from which it may come back.
        private: whether it is hidden from the public.
        former_keys: the keys that the provider says it had before; they go into its history.
        attributes: further labels for suggestions and display, for example ``default_branch``.

    >>> Resource(kind="repository", id="1296269", key="octo-org/hello").archived
    False
    """

    kind: str
    id: str
    key: str
    url: str = ""
    parent_id: str = ""
    archived: bool = False
    deleted: bool = False
    private: bool = False
    former_keys: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class ResourcePage:
    """One page of a listing.

    Attributes:
        resources: the resources on it, in the provider's order; may be empty while more follow.
        cursor: opaque; hand it to the next listing to resume **after** this page. Empty on the last page.
        account: the account as the provider names it today, where the listing asked; its labels are refreshed.
        total: how many resources the provider says that there are on all pages, or None where it doesn't. A listing
            that ends with fewer was cut, and takes nothing for missing.
        skipped: parts of the account that refused to be listed, each with the reason, for a person. What is in them
            isn't taken for missing; the rest goes on.

    >>> ResourcePage(resources=(), cursor="").cursor
    ''
    """

    resources: tuple[Resource, ...]
    cursor: str = ""
    account: Account | None = None
    total: int | None = None
    skipped: tuple[str, ...] = ()

"""What a workspace may map: resources as the inventory knows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from attrs import field, frozen

from ..providers.resources import Resource


class ResourceStatus(StrEnum):
    """Whether a resource can still be reached through its installation."""

    ACTIVE = "active"
    MISSING = "missing"
    WITHDRAWN = "withdrawn"
    TRANSFERRED = "transferred"
    DELETED = "deleted"
    ORPHANED = "orphaned"
    REKEYED = "rekeyed"


NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The moment of what nobody has told yet: whatever is told is later."""


@frozen(kw_only=True)
class Belief:
    """When a resource that listings don't show is missing.

    Attributes:
        interval: how long after a complete listing without it another one has to be without it, too.
        share: how much of what an installation sees may go at once; more is held back, and told the operator.
        few: how many may go at once whatever the share.

    >>> Belief(share=0.5, few=10).most_of(30), Belief().most_of(3)
    (15, 10)
    """

    interval: timedelta = timedelta(hours=1)
    share: float = 0.5
    few: int = 10

    def most_of(self, known: int) -> int:
        """Return how many of the known resources may be missing at once."""
        return max(self.few, int(self.share * known))


@frozen(kw_only=True)
class KnownResource:
    """A resource as the inventory of an installation knows it.

    Attributes:
        workspace: the host's workspace.
        id: our id; stays the same over renames and re-keys.
        installation_id: the installation it is seen through.
        kind: one of the manifest's resource kinds.
        external_id: the provider's immutable id.
        key: the display key of today.
        url: a page about it, or empty.
        parent_id: the provider's id of the resource that contains it, or empty.
        status: whether it can still be reached.
        archived: whether the provider says that it takes no more changes.
        private: whether it is hidden from the public.
        attributes: further labels, for example ``default_branch``.
        first_seen: when it was first seen, in UTC.
        last_seen: when it was seen last, in UTC.
        key_at: the moment of what is known of its key, in UTC; what is older changes it no more. Each of the
            following is that of another attribute, so that changes may arrive in any order.
        status_at: that of its status.
        archived_at: that of whether it is archived.
        private_at: that of whether it is private.
        missed_at: when a complete listing began that didn't show it any more; older than `last_seen` where it was
            seen again.
        successor_id: the provider's id that this one became, or empty.

    >>> from datetime import UTC, datetime
    >>> moment = datetime(2026, 1, 2, tzinfo=UTC)
    >>> KnownResource(workspace="w1", id="r1", installation_id="i1", kind="board", external_id="9", key="plans",
    ...               status=ResourceStatus.ACTIVE, first_seen=moment, last_seen=moment).as_listed().key
    'plans'
    """

    workspace: str
    id: str
    installation_id: str
    kind: str
    external_id: str
    key: str
    status: ResourceStatus
    first_seen: datetime
    last_seen: datetime
    url: str = ""
    parent_id: str = ""
    archived: bool = False
    private: bool = False
    attributes: Mapping[str, str] = field(factory=dict)
    key_at: datetime = NEVER
    status_at: datetime = NEVER
    archived_at: datetime = NEVER
    private_at: datetime = NEVER
    missed_at: datetime | None = None
    successor_id: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Kind and immutable id: the whole identity under the installation."""
        return self.kind, self.external_id

    def as_listed(self) -> Resource:
        """Return it as a plugin's listing describes it."""
        return Resource(
            kind=self.kind,
            id=self.external_id,
            key=self.key,
            url=self.url,
            parent_id=self.parent_id,
            archived=self.archived,
            private=self.private,
            attributes=self.attributes,
        )

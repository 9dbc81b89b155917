"""Members who leave: their links end, what all share stays, and what hung on them is named."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection

from ..conversations.states import forget_member
from ..credentials.vault import Vault
from ..installations import repository as installations
from ..installations.statuses import GONE
from ..installations.types import Installation
from ..store.audit import record
from ..store.engine import Store
from ..tokens.grants import find_grant
from . import repository
from .lifecycle import Ending
from .types import RevokedLink


@frozen(kw_only=True)
class Offboarded:
    """What became of a member who left.

    Attributes:
        links: their links, all ended, each with what the provider said.
        hand_over: the installations that speak with a grant of theirs, or wait for an approval that they asked for.
            All go on working, as long as the provider accepts the leaver's grant; hand each over by letting
            somebody else authorise it again.

    >>> Offboarded(links=(), hand_over=()).hand_over
    ()
    """

    links: tuple[RevokedLink, ...]
    hand_over: tuple[Installation, ...]


class Members:
    """Looks after members as a whole."""

    def __init__(self, store: Store, vault: Vault, ending: Ending) -> None:
        self._store = store
        self._vault = vault
        self._ending = ending

    def offboard(self, *, workspace: str, member: str, actor: str, reason: str = "left") -> Offboarded:
        """End everything that is a member's own; doing it twice changes nothing more.

        No installation, mapping or policy changes, and so no routing decision does.
        """
        with self._store.reading() as connection:
            links = repository.list_all(connection, workspace=workspace, member=member)
        ended = self._ending.end(links, actor=actor, reason=reason)
        now = self._store.now()
        with self._store.transaction() as connection:
            under_way = forget_member(connection, self._vault, workspace=workspace, member=member)
            hand_over = tuple(
                each
                for each in installations.list_all(connection, workspace=workspace)
                if each.connected_by == member and each.status not in GONE and _hangs_on_a_person(connection, each)
            )
            record(
                connection,
                workspace=workspace,
                at=now,
                actor=actor,
                verb="member.offboarded",
                entity="member",
                entity_id=member,
                reason=reason,
                before={"links": [each.link.id for each in ended], "conversations": under_way},
                after={"hand_over": [each.id for each in hand_over]},
            )
        return Offboarded(links=ended, hand_over=hand_over)


def _hangs_on_a_person(connection: Connection, installation: Installation) -> bool:
    """Return whether it has a person's grant, or waits for one.

    An app that mints its tokens needs nobody, and a token that an admin entered outlives the person who entered it.
    """
    if not installation.credential_id:
        return not installation.is_live
    grant = find_grant(connection, workspace=installation.workspace, credential_id=installation.credential_id)
    return grant is None or bool(grant.redirect_uri)

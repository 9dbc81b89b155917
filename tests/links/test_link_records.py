"""User links as they are stored, and their end on the provider's side."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy.exc import IntegrityError

from speckitty_connectors import Account, Change, ExternalIdentity, Lifecycle, NotFoundError
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.links import lifecycle, repository
from speckitty_connectors.links.types import LinkStatus, UserLink
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, audited, installation_of

LATER = MOMENT + timedelta(days=1)


def add_link(store: Store, installation: Installation, member: str, external_id: str, **values: Any) -> UserLink:
    """Link a member to an identity under an installation."""
    link = UserLink(
        workspace=installation.workspace,
        id=new_id(),
        installation_id=installation.id,
        member=member,
        provider=installation.provider,
        host=installation.host,
        external_id=external_id,
        external_name=f"person {external_id}",
        created_at=MOMENT,
        updated_at=MOMENT,
    )
    link = evolve(link, **values)
    with store.transaction() as connection:
        repository.add(connection, link)
    return link


def link_of(store: Store, link: UserLink) -> UserLink:
    """Return a link as it is now."""
    with store.reading() as connection:
        return repository.get(connection, workspace=link.workspace, link_id=link.id)


def revoked(store: Store, external_id: str, *, days: float = 1, host: str = "fake.example") -> list[str]:
    """Let the provider tell that a person withdrew; return the members who lost a link."""
    told = Lifecycle(
        change=Change.LINK_REVOKED,
        identities=(ExternalIdentity(id=external_id),),
        occurred_at=MOMENT + timedelta(days=days),
    )
    with store.transaction() as connection:
        links = lifecycle.revoke(connection, told, "fake", host, now=MOMENT + timedelta(days=2))
    return [link.member for link in links]


def test_a_link_is_read_back_whole(store: Store) -> None:
    """Every attribute survives the store."""
    link = add_link(store, add_installation(store), "mona", "1", credential_id="c1", status_reason="because")
    assert link_of(store, link) == link


def test_many_members_link_under_one_installation_each_once(store: Store) -> None:
    """SQL refuses a second link of a member, and a second member for one identity."""
    installation = add_installation(store)
    add_link(store, installation, "mona", "1")
    add_link(store, installation, "hugo", "2")
    for member, external_id in (("mona", "3"), ("eve", "1")):
        with pytest.raises(IntegrityError):
            add_link(store, installation, member, external_id)


def test_a_foreign_link_is_as_good_as_missing(store: Store) -> None:
    """Another workspace's id gives word for word the answer that an unknown one gives."""
    link = add_link(store, add_installation(store), "mona", "1")
    texts = []
    for workspace, link_id in (("w2", link.id), ("w1", "missing")):
        with pytest.raises(NotFoundError) as caught, store.reading() as connection:
            repository.get(connection, workspace=workspace, link_id=link_id)
        texts.append(str(caught.value).replace(link_id, "…"))
    assert texts[0] == texts[1]


def test_a_link_cannot_hang_under_a_foreign_installation(store: Store) -> None:
    """The composite key refuses a link whose workspace isn't its installation's."""
    installation = add_installation(store)
    with pytest.raises(IntegrityError):
        add_link(store, evolve(installation, workspace="w2"), "eve", "1")


def test_a_withdrawal_ends_the_persons_links_in_every_workspace_and_no_others(store: Store) -> None:
    """Nobody else's link and no installation depends on it; it is applied and audited once."""
    first, second = add_installation(store), add_installation(store, workspace="w2")
    other_host = add_installation(store, host="fake.internal")
    ended = add_link(store, first, "mona", "1")
    add_link(store, second, "mona-2", "1")
    kept = [add_link(store, first, "hugo", "2"), add_link(store, other_host, "mona", "1")]
    assert revoked(store, "1") == ["mona", "mona-2"]
    assert revoked(store, "1") == []
    assert link_of(store, ended).status is LinkStatus.REVOKED
    assert [link_of(store, link) for link in kept] == kept
    assert installation_of(store, first) == first
    assert audited(store) == ["link.revoked"]


def test_a_link_made_after_the_withdrawal_stays(store: Store) -> None:
    """A late delivery doesn't end what the person authorised anew."""
    add_link(store, add_installation(store), "mona", "1", updated_at=LATER)
    assert revoked(store, "1", days=0.5) == []


def test_a_withdrawal_in_one_account_ends_no_link_under_another(store: Store) -> None:
    """Where the delivery names an account, an id means something in that account alone; all it names are ended."""
    seven, eight = add_installation(store), add_installation(store, account_id="8")
    ended = [add_link(store, seven, "mona", "1"), add_link(store, seven, "hugo", "2")]
    kept = add_link(store, eight, "mona", "1")
    told = Lifecycle(
        change=Change.CREDENTIAL_REVOKED,
        account=Account(id="7"),
        identities=(ExternalIdentity(id="1"), ExternalIdentity(id="2")),
        occurred_at=LATER,
    )
    with store.transaction() as connection:
        lifecycle.revoke(connection, told, "fake", "fake.example", now=LATER)
    assert [link_of(store, link).status for link in ended] == [LinkStatus.REVOKED, LinkStatus.REVOKED]
    assert link_of(store, kept) == kept

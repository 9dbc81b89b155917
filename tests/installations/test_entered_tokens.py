"""Tokens that an admin made in the provider's pages: proven like a grant, and in place of one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from attrs import evolve
from sqlalchemy import select

from speckitty_connectors import Account, ConfigurationError, ConflictError, NotFoundError, Refused, Secret
from speckitty_connectors.contract.fake import MANIFEST
from speckitty_connectors.credentials.tables import credentials
from speckitty_connectors.installations import repository
from speckitty_connectors.installations.entered_tokens import EnteredTokens, TokenRefusedError
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.plugin import (
    Authorize,
    ChooseAccount,
    Connected,
    Conversation,
    EnteredTokenRules,
    InstallAnswer,
)
from speckitty_connectors.tokens.grants import GRANT
from testbed.desk import Desk, open_desk
from testbed.layers import audited, installation_of

SEVEN = Account(id="7", name="Seven", kind="space")
EIGHT = Account(id="8", name="Eight", kind="space")


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A desk for a provider with tokens that can be entered."""
    manifest = evolve(MANIFEST, entered_tokens=EnteredTokenRules(title="Space token"))
    with open_desk(database_url, manifest=manifest) as opened:
        yield opened


@pytest.fixture
def installation(desk: Desk) -> Installation:
    """The account Seven, connected by mona."""
    done = desk.connect()
    assert isinstance(done, Done)
    return done.installations[0]


def enter(desk: Desk, installation_id: str, **values: object) -> Installation:
    given: dict[str, object] = {"workspace": "w1", "member": "omar", "token": "space-token", **values}
    tokens = EnteredTokens(desk.store, desk.registry, desk.apps, desk.vault, desk.sessions)
    return tokens.enter(installation_id=installation_id, **given)  # type: ignore[arg-type]  # what the test is about


def reaching(desk: Desk, answer: InstallAnswer) -> None:
    """Let the plugin answer so when it is asked with a grant or a token."""
    desk.plugin.accounts = lambda conversation: answer if conversation.grant else Authorize()


def grants(desk: Desk) -> list[str]:
    with desk.store.reading() as connection:
        return list(connection.scalars(select(credentials.c.id).where(credentials.c.kind == GRANT)))


@pytest.mark.parametrize("token", ["space-token", Secret("space-token")])
def test_an_entered_token_takes_the_place_of_a_persons_grant(
    token: object, desk: Desk, installation: Installation
) -> None:
    """It is proven by the plugin, sealed, and the person's grant is forgotten; the installation stays the same."""
    asked: list[Conversation] = []

    def answer(conversation: Conversation) -> InstallAnswer:
        asked.append(conversation)
        assert conversation.grant is not None
        assert conversation.grant.session is not None
        return Connected(accounts=(SEVEN,)) if conversation.choice else ChooseAccount(accounts=(SEVEN, EIGHT))

    desk.plugin.accounts = answer
    end = desk.clock() + timedelta(days=30)
    changed = enter(desk, installation.id, token=token, expires_at=end)
    assert (changed.id, changed.status) == (installation.id, InstallationStatus.ACTIVE)
    assert grants(desk) == [changed.credential_id] != [installation.credential_id]
    with desk.store.reading() as connection:
        opened = desk.vault.open(connection, workspace="w1", credential_id=changed.credential_id)
    assert {name: secret.reveal() for name, secret in opened.values.items()} == {"access_token": "space-token"}
    assert opened.expires_at == end
    assert len(asked) == 1
    assert audited(desk.store)[-1] == "installation.token_entered"


@pytest.mark.parametrize(
    "answer",
    [
        Connected(accounts=(EIGHT,)),
        ChooseAccount(accounts=(SEVEN, EIGHT)),
        Refused(code="no_account", reason="The token reaches nothing.", remedy="Make another."),
    ],
    ids=["another account", "no decision", "refused"],
)
def test_a_token_that_does_not_reach_the_account_changes_nothing(
    answer: InstallAnswer, desk: Desk, installation: Installation
) -> None:
    """Only a token that proves control of the very account is kept."""
    reaching(desk, answer)
    with pytest.raises(TokenRefusedError, match="Seven"):
        enter(desk, installation.id)
    assert installation_of(desk.store, installation) == installation
    assert grants(desk) == [installation.credential_id]


def test_an_entered_token_ends_the_need_of_a_person(desk: Desk, installation: Installation) -> None:
    """An installation whose grant was refused is active again."""
    reaching(desk, Connected(accounts=(SEVEN,)))
    waiting = evolve(installation, status=InstallationStatus.NEEDS_REAUTHORISATION, status_reason="refused")
    save(desk, waiting)
    changed = enter(desk, installation.id)
    assert (changed.status, changed.status_reason) == (InstallationStatus.ACTIVE, "")


def test_a_grant_that_other_accounts_share_is_kept(desk: Desk) -> None:
    """Two accounts of one grant: one gets a token of its own, the other goes on with the grant."""
    reaching(desk, Connected(accounts=(SEVEN, EIGHT)))
    done = desk.connect()
    assert isinstance(done, Done)
    seven, eight = done.installations
    changed = enter(desk, seven.id)
    assert sorted(grants(desk)) == sorted([eight.credential_id, changed.credential_id])


def test_what_cannot_be_given_a_token_is_refused_before_the_provider_is_asked(
    desk: Desk, installation: Installation
) -> None:
    """Another workspace's installation, and one that is gone."""
    asked = len(desk.plugin.seen)
    with pytest.raises(NotFoundError):
        enter(desk, installation.id, workspace="w2")
    save(desk, evolve(installation, status=InstallationStatus.REMOVED))
    with pytest.raises(ConflictError):
        enter(desk, installation.id)
    assert len(desk.plugin.seen) == asked


def test_a_provider_without_such_tokens_says_so(database_url: str) -> None:
    """The host is told to connect again instead."""
    with open_desk(database_url) as desk:
        done = desk.connect()
        assert isinstance(done, Done)
        with pytest.raises(ConfigurationError, match="no tokens that can be entered"):
            enter(desk, done.installations[0].id)


def save(desk: Desk, installation: Installation) -> None:
    with desk.store.transaction() as connection:
        repository.save(connection, installation)

"""Linking members to their own identities: many under one installation, proven, never by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import evolve
from sqlalchemy import select

from speckitty_connectors import (
    ApiUnavailableError,
    Callback,
    ConflictError,
    ExternalIdentity,
    NotFoundError,
    Refused,
    Visitor,
)
from speckitty_connectors.contract.fake import MANIFEST, OAUTH
from speckitty_connectors.conversations.attempts import Purpose
from speckitty_connectors.conversations.refusals import OnboardingRefusedError, Refusal
from speckitty_connectors.conversations.states import purpose_of
from speckitty_connectors.credentials.tables import credentials
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.links.types import LinkDone, LinkStatus, UserLink
from speckitty_connectors.plugin import Authorize, Conversation, LinkAnswer, Linked
from testbed.desk import SESSION, Desk, open_desk, state_in
from testbed.layers import audited, installation_of

ONE_GRANT = evolve(OAUTH, one_grant_per_person=True)
MONA = {"id": "u1", "name": "octocat"}
HUGO = {"id": "u2", "name": "hubot"}


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A desk with one registered host."""
    with open_desk(database_url) as opened:
        yield opened


@pytest.fixture
def installation(desk: Desk) -> Installation:
    """A connected account."""
    step = desk.connect()
    assert isinstance(step, Done)
    return step.installations[0]


def begin(desk: Desk, installation: Installation, member: str = "mona", workspace: str = "w1") -> str:
    """Begin to link a member; return where the browser goes."""
    return desk.links.begin(
        visitor=Visitor(workspace=workspace, member=member, session=SESSION), installation_id=installation.id
    ).url


def link(desk: Desk, installation: Installation, member: str, user: dict[str, str]) -> UserLink:
    """Link a member who signs in as that person."""
    brought = desk.server.approve(begin(desk, installation, member), user=user)
    done = desk.links.complete(
        visitor=Visitor(workspace="w1", member=member, session=SESSION),
        callback=Callback(parameters=brought, **desk.place),
    )
    assert isinstance(done, LinkDone)
    return done.link


def kept(desk: Desk) -> list[str]:
    """Return the ids of the sealed grants of links."""
    with desk.store.reading() as connection:
        found = select(credentials.c.id).where(credentials.c.kind == "link_grant")
        return list(connection.execute(found).scalars())


def test_many_members_link_under_one_installation(desk: Desk, installation: Installation) -> None:
    """Each has their own identity and their own sealed grant, and the installation stays as it is."""
    mona, hugo = link(desk, installation, "mona", MONA), link(desk, installation, "hugo", HUGO)
    assert (mona.external_id, mona.external_name, hugo.external_id) == ("u1", "octocat", "u2")
    assert {mona.credential_id, hugo.credential_id} == set(kept(desk))
    assert len(kept(desk)) == 2
    assert desk.links.list(workspace="w1") == (mona, hugo)
    assert desk.links.list(workspace="w1", member="hugo") == (hugo,)
    assert desk.links.list(workspace="w2") == ()
    assert installation_of(desk.store, installation) == installation


def test_an_identity_of_another_member_is_refused_with_the_reason(desk: Desk, installation: Installation) -> None:
    """The immutable id decides, whatever name it goes by; what was linked stays, and no grant is left over."""
    mona = link(desk, installation, "mona", MONA)
    with pytest.raises(OnboardingRefusedError) as caught:
        link(desk, installation, "eve", {"id": "u1", "name": "somebody else"})
    assert caught.value.refusal == Refusal.ALREADY_LINKED
    assert caught.value.what.endswith(": mona")
    assert "take it over" in caught.value.remedy
    assert desk.links.list(workspace="w1") == (mona,)
    assert kept(desk) == [mona.credential_id]
    assert desk.refusals() == [Refusal.ALREADY_LINKED]


def test_the_same_name_is_not_the_same_person(desk: Desk, installation: Installation) -> None:
    """Two identities that share a name are two links."""
    link(desk, installation, "mona", MONA)
    link(desk, installation, "eve", {"id": "u9", "name": "octocat"})
    assert len(desk.links.list(workspace="w1")) == 2


def test_a_member_who_links_again_replaces_their_own_link(desk: Desk, installation: Installation) -> None:
    """The link keeps our id, takes the new identity, and the former grant is forgotten."""
    before = link(desk, installation, "mona", MONA)
    after = link(desk, installation, "mona", HUGO)
    assert (after.id, after.external_id) == (before.id, "u2")
    assert kept(desk) == [after.credential_id]


def test_a_revoked_link_forgets_its_grant_and_touches_nobody_else(desk: Desk, installation: Installation) -> None:
    """A leaver's link ends once; colleagues and the installation go on."""
    mona, hugo = link(desk, installation, "mona", MONA), link(desk, installation, "hugo", HUGO)
    for _ in range(2):
        gone = desk.links.revoke(workspace="w1", link_id=mona.id, actor="member:mona", reason="left").link
    assert (gone.status, gone.status_reason, gone.credential_id) == (LinkStatus.REVOKED, "left", "")
    assert kept(desk) == [hugo.credential_id]
    assert desk.links.list(workspace="w1", member="hugo") == (hugo,)
    assert installation_of(desk.store, installation) == installation
    assert audited(desk.store).count("link.revoked") == 1


def test_a_revoked_identity_is_free_for_whoever_proves_it(desk: Desk, installation: Installation) -> None:
    """After the former member's link ended, another may link the same person."""
    mona = link(desk, installation, "mona", MONA)
    desk.links.revoke(workspace="w1", link_id=mona.id, actor="operator")
    successor = link(desk, installation, "hugo", MONA)
    assert desk.links.list(workspace="w1") == (successor,)


def test_another_workspace_neither_links_nor_revokes(desk: Desk, installation: Installation) -> None:
    """Foreign ids are as good as missing ones."""
    mona = link(desk, installation, "mona", MONA)
    with pytest.raises(NotFoundError):
        begin(desk, installation, workspace="w2")
    with pytest.raises(NotFoundError):
        desk.links.revoke(workspace="w2", link_id=mona.id, actor="member:eve")
    assert desk.links.list(workspace="w1") == (mona,)


def test_nobody_links_under_an_installation_that_is_gone(desk: Desk, installation: Installation) -> None:
    """The account has to be connected first."""
    desk.onboarding.remove(workspace="w1", actor="member:mona", installation_id=installation.id)
    with pytest.raises(ConflictError):
        begin(desk, installation)


def test_a_link_that_no_grant_proves_is_refused(desk: Desk, installation: Installation) -> None:
    """A plugin's word without a grant, or a person without an id, isn't enough."""
    desk.plugin.people = lambda _: Linked(identity=ExternalIdentity(id="u1"))
    with pytest.raises(OnboardingRefusedError) as caught:
        begin(desk, installation)
    assert caught.value.refusal == Refusal.UNPROVEN
    desk.plugin.people = lambda talk: Linked(identity=ExternalIdentity(id="")) if talk.grant else Authorize()
    with pytest.raises(OnboardingRefusedError) as caught:
        link(desk, installation, "mona", MONA)
    assert caught.value.refusal == Refusal.UNPROVEN


def test_a_link_belongs_to_the_browser_it_was_begun_in(desk: Desk, installation: Installation) -> None:
    """A colleague who opens somebody's callback isn't linked to them."""
    brought = desk.server.approve(begin(desk, installation))
    with pytest.raises(OnboardingRefusedError) as caught:
        desk.links.complete(
            visitor=Visitor(workspace="w1", member="mona", session="another"),
            callback=Callback(parameters=brought, **desk.place),
        )
    assert caught.value.refusal == Refusal.SESSION_MISMATCH
    assert kept(desk) == []


def test_a_links_state_connects_no_account(desk: Desk, installation: Installation) -> None:
    """A shared callback asks what a state is for; the wrong use of it is refused."""
    state = state_in(begin(desk, installation))
    with desk.store.reading() as connection:
        assert purpose_of(connection, state=state) is Purpose.LINK
        assert purpose_of(connection, state="unknown") is None
    with pytest.raises(OnboardingRefusedError) as caught:
        desk.complete({"state": state, "code": "c"})
    assert caught.value.refusal == Refusal.STATE_UNKNOWN


def test_a_provider_that_does_not_answer_leaves_nothing_behind(desk: Desk, installation: Installation) -> None:
    """The person learns that the provider failed, and starts again."""

    def answer(conversation: Conversation) -> LinkAnswer:
        if conversation.grant is None:
            return Authorize()
        raise ApiUnavailableError("no answer", status=502)

    desk.plugin.people = answer
    with pytest.raises(ApiUnavailableError):
        link(desk, installation, "mona", MONA)
    assert kept(desk) == []
    assert desk.links.list(workspace="w1") == ()


def test_a_plugins_refusal_reaches_the_member(desk: Desk, installation: Installation) -> None:
    """Its words are the person's, its code the audit's."""
    desk.plugin.people = lambda talk: (
        Refused(code="suspended", reason="You are suspended.", remedy="Ask an owner.")
        if talk.grant
        else Authorize()
    )
    with pytest.raises(OnboardingRefusedError) as caught:
        link(desk, installation, "mona", MONA)
    assert (caught.value.refusal, caught.value.what) == ("suspended", "You are suspended.")


def test_where_a_person_has_one_grant_their_link_needs_no_tokens(database_url: str) -> None:
    """Whoever connected the account and links themselves renews its grant; the others keep grants of their own."""
    with open_desk(database_url, manifest=evolve(MANIFEST, install_oauth=ONE_GRANT, link_oauth=ONE_GRANT)) as desk:
        step = desk.connect({"user": MONA})
        assert isinstance(step, Done)
        (installation,) = step.installations
        own, other = link(desk, installation, "mona", MONA), link(desk, installation, "hugo", HUGO)
        assert (own.credential_id, kept(desk)) == ("", [other.credential_id])
        held = installation_of(desk.store, installation).credential_id
        with desk.store.reading() as connection:
            renewed = desk.vault.open(connection, workspace="w1", credential_id=held)
        assert renewed.values["access_token"].reveal() == "token-of-code-2"
        desk.links.revoke(workspace="w1", link_id=own.id, actor="member:mona")
        with desk.store.reading() as connection:
            desk.vault.open(connection, workspace="w1", credential_id=held)

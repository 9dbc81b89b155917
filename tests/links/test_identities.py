"""Who a member is: proven, confirmed by an admin, only suggested, or taken over from a second account of theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speckitty_connectors import Callback, ConflictError, ExternalIdentity, Installation, NotFoundError
from speckitty_connectors.conversations.refusals import OnboardingRefusedError
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.links.types import Authority, LinkDone, LinkStatus, UserLink
from testbed.desk import Script, strict
from testbed.layers import add_installation
from testbed.office import Office, open_office, who

OCTOCAT = ExternalIdentity(id="u1", name="octocat")
HUBOT = ExternalIdentity(id="u2", name="hubot")
ADMIN = "member:olga"


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A host whose provider takes grants back."""
    with open_office(database_url, Script(strict(revoke_url="{web}/oauth/revoke"))) as opened:
        yield opened


@pytest.fixture
def installation(office: Office) -> Installation:
    """A connected account."""
    return office.connect()


def link(
    office: Office, installation: Installation, member: str, identity: ExternalIdentity, *, take_over: bool = False
) -> UserLink:
    """Let a member sign in at the provider as that person."""
    links = office.connectors.links
    sent = links.begin(visitor=who(member), installation_id=installation.id, take_over=take_over)
    user = {"id": identity.id, "name": identity.name}
    done = links.complete(
        visitor=who(member),
        callback=Callback(provider="fake", host=office.host, parameters=office.server.approve(sent.url, user=user)),
    )
    assert isinstance(done, LinkDone)
    return done.link


def confirm(
    office: Office, installation: Installation, member: str, identity: ExternalIdentity | None = None
) -> UserLink:
    """Let an admin say who a member is."""
    return office.connectors.links.confirm(
        workspace="w1", installation_id=installation.id, member=member, identity=identity, actor=ADMIN
    )


def suggest(office: Office, installation: Installation, member: str, identity: ExternalIdentity) -> UserLink:
    """Suggest who a member is, as a host does whose e-mail address the provider knows as verified too."""
    return office.connectors.links.suggest(
        workspace="w1", installation_id=installation.id, member=member, identity=identity, actor="system"
    )


def statuses(office: Office) -> dict[str, LinkStatus]:
    """Return each member's link's status."""
    return {each.member: each.status for each in office.connectors.links.list(workspace="w1")}


def test_an_admin_confirms_an_identity_without_a_token(office: Office, installation: Installation) -> None:
    """The member is known, but nobody can act in their name; the audit has the admin."""
    made = confirm(office, installation, "mona", OCTOCAT)
    assert (made.status, made.credential_id, made.can_speak) == (LinkStatus.ACTIVE, "", False)
    (entry,) = office.connectors.audit.find("w1", verb="link.confirmed")
    assert (entry.actor, entry.after["identity"]) == (ADMIN, "u1")
    acting = office.connectors.links.act_as(workspace="w1", installation_id=installation.id, member="mona")
    assert acting.path.type is Authority.INSTALLATION
    assert "no token of their own" in acting.path.reason


def test_a_suggestion_is_nothing_until_somebody_confirms_it(office: Office, installation: Installation) -> None:
    """It neither speaks nor keeps the real person out."""
    suggested = suggest(office, installation, "mona", OCTOCAT)
    assert (suggested.status, suggested.can_speak) == (LinkStatus.SUGGESTED, False)
    assert confirm(office, installation, "mona").id == suggested.id
    assert statuses(office) == {"mona": LinkStatus.ACTIVE}


def test_who_proves_an_identity_gets_it_whatever_was_suggested(office: Office, installation: Installation) -> None:
    """The same e-mail address is no proof: the attacker's suggestion gives way to the grant."""
    suggest(office, installation, "eve", OCTOCAT)
    link(office, installation, "mona", OCTOCAT)
    assert statuses(office) == {"mona": LinkStatus.ACTIVE}


def test_what_is_not_suggested_cannot_be_confirmed_without_a_name(
    office: Office, installation: Installation
) -> None:
    """An admin has to say whom they mean."""
    with pytest.raises(NotFoundError):
        confirm(office, installation, "mona")


def test_nobody_overrules_what_a_member_proved(office: Office, installation: Installation) -> None:
    """Neither an admin nor a suggestion; to confirm the same is to say nothing new."""
    proven = link(office, installation, "mona", OCTOCAT)
    with pytest.raises(ConflictError):
        confirm(office, installation, "mona", HUBOT)
    with pytest.raises(ConflictError):
        suggest(office, installation, "mona", HUBOT)
    with pytest.raises(ConflictError) as caught:
        confirm(office, installation, "eve", OCTOCAT)
    assert "mona is linked" in caught.value.what
    assert confirm(office, installation, "mona", OCTOCAT) == proven


def test_a_second_account_of_the_same_person_takes_the_identity_over(
    office: Office, installation: Installation
) -> None:
    """The refusal says who has it and what to do; done again on purpose, the grant decides, and both are told."""
    link(office, installation, "mona-old", OCTOCAT)
    with pytest.raises(OnboardingRefusedError) as caught:
        link(office, installation, "mona", OCTOCAT)
    assert caught.value.refusal == "already_linked"
    assert "mona-old" in caught.value.what
    taken = link(office, installation, "mona", OCTOCAT, take_over=True)
    assert office.connectors.links.list(workspace="w1") == (taken,)
    (entry,) = office.connectors.audit.find("w1", verb="link.taken_over")
    assert (entry.actor, entry.after["member"], entry.reason) == (
        "member:mona",
        "mona-old",
        "taken over by mona",
    )


def test_taking_over_what_nobody_has_is_linking(office: Office, installation: Installation) -> None:
    """It takes nothing from anybody."""
    link(office, installation, "hugo", HUBOT)
    link(office, installation, "mona", OCTOCAT, take_over=True)
    assert statuses(office) == {"hugo": LinkStatus.ACTIVE, "mona": LinkStatus.ACTIVE}


def test_a_linked_member_acts_in_their_own_name_and_others_in_the_installations(
    office: Office, installation: Installation
) -> None:
    """The path says which, with the immutable ids, and the opening of each grant is in the audit once."""
    mine = link(office, installation, "mona", OCTOCAT)
    act_as = office.connectors.links.act_as
    mona = act_as(workspace="w1", installation_id=installation.id, member="mona")
    assert (mona.path.type, mona.path.user_link_id, mona.path.provider_account_id, mona.path.reason) == (
        Authority.USER_LINK,
        mine.id,
        "u1",
        "",
    )
    hugo = act_as(workspace="w1", installation_id=installation.id, member="hugo")
    assert (hugo.path.type, hugo.path.user_link_id, hugo.path.provider_account_id) == (
        Authority.INSTALLATION,
        "",
        "7",
    )
    opened = office.connectors.audit.find("w1", verb="credential.opened")
    assert [(entry.actor, entry.entity_id) for entry in opened] == [
        ("member:hugo", office.now(installation).credential_id),
        ("member:mona", mine.credential_id),
    ]


def test_each_session_carries_the_token_that_its_path_names(office: Office, installation: Installation) -> None:
    """Mona's request has mona's token, and hugo's the installation's."""
    link(office, installation, "mona", OCTOCAT)
    for member in ("mona", "hugo"):
        acting = office.connectors.links.act_as(workspace="w1", installation_id=installation.id, member=member)
        acting.session.get("/boards")
    tokens = [
        request.headers["Authorization"] for request in office.server.host.received if request.method == "GET"
    ]
    assert tokens == ["Bearer token-of-code-2", "Bearer token-of-code-1"]


@pytest.mark.parametrize("status", ["suspended", "removed", "orphaned", "pending_approval"])
def test_nobody_acts_through_an_installation_that_the_provider_does_not_answer(
    office: Office, installation: Installation, status: str
) -> None:
    """Not with a link of their own either; the remedy is the installation's next step."""
    silent = add_installation(
        office.connectors.store, account_id="8", host=office.host, status=InstallationStatus(status)
    )
    with pytest.raises(ConflictError) as caught:
        office.connectors.links.act_as(workspace="w1", installation_id=silent.id, member="mona")
    assert caught.value.remedy == silent.next_step.text


def test_a_revoked_link_is_taken_back_at_the_provider(office: Office, installation: Installation) -> None:
    """What the provider said is told; the token's digest is all that the audit keeps."""
    mine = link(office, installation, "mona", OCTOCAT)
    revoked = office.connectors.links.revoke(workspace="w1", link_id=mine.id, actor="member:mona")
    assert revoked.revocation.value == "revoked"
    again = office.connectors.links.revoke(workspace="w1", link_id=mine.id, actor="member:mona")
    assert again.revocation.value == "nothing_kept"
    office.server.revocation_status = 500
    other = link(office, installation, "hugo", HUBOT)
    failed = office.connectors.links.revoke(workspace="w1", link_id=other.id, actor="operator")
    assert (failed.link.status, failed.revocation.value) == (LinkStatus.REVOKED, "failed")
    (entry, _) = office.connectors.audit.find("w1", verb="credential.given_up")
    assert (entry.entity_id, entry.reason) == (other.credential_id, "failed")
    assert "token-of-code" not in entry.as_line()

"""What happens to people: each status of an installation is reached and left, as the person sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from speckitty_connectors import Account, ApiUnauthorizedError, Callback, ExternalIdentity, PolicyScope, Refused
from speckitty_connectors.contract.fake import FakePolicy
from speckitty_connectors.conversations.refusals import OnboardingRefusedError
from speckitty_connectors.conversations.steps import PickAccount, SendBrowser
from speckitty_connectors.installations.inventory import SyncInterruptedError
from speckitty_connectors.installations.statuses import Action, InstallationStatus, StatusReason
from speckitty_connectors.installations.steps import Done, Waiting
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.links.types import Authority, LinkDone
from speckitty_connectors.mappings.types import MappingState
from speckitty_connectors.plugin import (
    Authorize,
    AwaitApproval,
    Connected,
    Conversation,
    EnteredTokenRules,
    InstallAnswer,
    Listing,
    ResourcePage,
    hookimpl,
)
from speckitty_connectors.tokens.oauth import Revocation
from testbed.desk import ACCOUNT, USER, Script, strict
from testbed.layers import MOMENT
from testbed.office import Office, open_office, who

EIGHT = {"id": "8", "name": "Eight", "kind": "space"}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A host whose provider lets itself be led."""
    with open_office(database_url) as opened:
        yield opened


def stands(office: Office, installation: Installation) -> tuple[str, str, str]:
    """Return status, reason and next step as the host shows them."""
    now = office.now(installation)
    return now.status.value, now.status_reason, now.next_step.action.value


class Owners:
    """A provider at which owners approve; what it says of a request is up to the test."""

    def __init__(self, told: InstallAnswer | None = None) -> None:
        self.told = told
        self.is_installed = False

    def __call__(self, conversation: Conversation) -> InstallAnswer:
        if conversation.pending is not None:
            return self.told or Authorize()
        if conversation.grant is None:
            return Authorize(remember=conversation.parameters)
        person = ExternalIdentity(**conversation.grant.details["user"])  # type: ignore[arg-type]  # USER
        if self.is_installed:
            return Connected(accounts=(Account(id="7", name="Seven"),), installation="42", connected_by=person)
        return AwaitApproval(requester=person)


def request(office: Office) -> Installation:
    """Ask an owner for approval."""
    step = office.authorise(office.begin())
    assert isinstance(step, Waiting)
    return step.installation


APPROVAL = {
    "change": "installed",
    "installation": "42",
    "account": ACCOUNT,
    "requester": USER,
    "scopes": ["boards:read"],
}


def test_the_approval_arrives_late_by_webhook(office: Office) -> None:
    """Mona asks, goes home, and finds it connected a week later; nobody had to come back with a browser."""
    office.plugin.accounts = Owners()
    asked = request(office)
    assert stands(office, asked) == ("pending_approval", "approval_requested", "check_now")
    office.tell(APPROVAL, seconds_later=7 * 24 * 3600)
    assert stands(office, asked) == ("active", "", "none")
    assert office.now(asked).account_name == "Seven"
    assert office.verbs()[-2:] == ["installation.requested", "installation.connected"]


def test_the_webhook_is_lost_and_upkeep_finds_the_approval(office: Office) -> None:
    """The provider says that it was this person's request, and only then it counts."""
    owners = Owners(AwaitApproval(account=Account(id="7", name="Seven")))
    office.plugin.accounts = owners
    asked = request(office)
    assert office.connectors.upkeep.run().settled == ()
    assert office.now(asked).account_name == "Seven"
    owners.told = Connected(
        accounts=(Account(id="7", name="Seven"),),
        installation="42",
        connected_by=ExternalIdentity(id="somebody else"),
    )
    assert office.connectors.upkeep.run().settled == ()
    owners.told = evolve(owners.told, connected_by=ExternalIdentity(id=str(USER["id"])))
    (settled,) = office.connectors.upkeep.run().settled
    assert (settled.id, settled.provider_installation_id) == (asked.id, "42")
    assert stands(office, asked) == ("active", "", "none")


def test_mona_checks_now_and_proves_it_where_the_provider_cannot_tell(office: Office) -> None:
    """The same request becomes the installation, by a grant of her own."""
    owners = Owners()
    office.plugin.accounts = owners
    asked = request(office)
    owners.is_installed = True
    sent = office.connectors.onboarding.check_now(visitor=who(), installation_id=asked.id)
    assert isinstance(sent, SendBrowser)
    step = office.authorise(sent)
    assert isinstance(step, Done)
    assert step.installations[0].id == asked.id
    done = office.connectors.onboarding.check_now(visitor=who(), installation_id=asked.id)
    assert isinstance(done, Done)


def test_the_owner_lands_without_a_state_and_claims_safely(office: Office) -> None:
    """What the URL says connects nothing; the owner's own grant does, and takes up what mona had asked for."""
    owners = Owners()
    office.plugin.accounts = owners
    asked = request(office)
    owners.is_installed = True
    sent = office.connectors.onboarding.claim(
        visitor=who("olga"),
        callback=Callback(provider="fake", host=office.host, parameters={"installation_id": "42"}),
    )
    assert stands(office, asked)[0] == "pending_approval"
    step = office.authorise(sent, "olga")
    assert isinstance(step, Done)
    assert (step.installations[0].id, step.installations[0].connected_by) == (asked.id, "olga")


def test_the_owner_declines(office: Office) -> None:
    """Mona learns it, and a late approval of something else doesn't connect her workspace."""
    office.plugin.accounts = Owners(Refused(code="declined", reason="It was declined.", remedy="Ask an owner."))
    asked = request(office)
    waiting = office.connectors.onboarding.check_now(visitor=who(), installation_id=asked.id)
    assert isinstance(waiting, Waiting)
    assert "declined" in waiting.reason
    assert stands(office, asked) == ("removed", "approval_declined", "connect")
    office.tell(APPROVAL)
    assert stands(office, asked)[0] == "removed"
    assert "installation.declined" in office.verbs()


class Closable(Script):
    """The fake provider, which may refuse every credential."""

    is_closed = False

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        if self.is_closed:
            raise ApiUnauthorizedError("refused", status=401)
        yield from super().list_resources(listing)


def test_the_admin_leaves_and_a_colleague_takes_over(database_url: str) -> None:
    """Routing goes on; after the provider refuses the leaver's grant it is degraded, and Hugo authorises."""
    plugin = Closable()
    with open_office(database_url, plugin) as office:
        made = office.connect()
        left = office.connectors.members.offboard(workspace="w1", member="mona", actor="member:hugo")
        assert [each.id for each in left.hand_over] == [made.id]
        assert stands(office, made) == ("active", "", "none")
        plugin.is_closed = True
        with pytest.raises(SyncInterruptedError):
            office.connectors.inventory.sync("w1", made.id)
        assert stands(office, made) == ("degraded", "access_refused", "wait")
        plugin.is_closed = False
        step = office.reauthorise(made, "hugo", user={"id": "u2", "name": "hubot"})
        assert isinstance(step, Done)
        assert stands(office, made) == ("active", "", "none")
        assert office.now(made).connected_by == "hugo"
        assert office.connectors.members.offboard(workspace="w1", member="mona", actor="operator").hand_over == ()
        assert "installation.reauthorised" in office.verbs()


def test_a_token_that_an_admin_entered_outlives_them(database_url: str) -> None:
    """It needs no hand-over, and only an admin can end it: removing it here isn't called a revocation there."""
    entered = EnteredTokenRules(title="Group access token")
    plugin = Script(evolve(strict(revoke_url="{web}/oauth/revoke"), entered_tokens=entered))
    with open_office(database_url, plugin) as office:
        made = office.connect()
        plugin.accounts = lambda conversation: Connected(accounts=(Account(id=conversation.choice[0]),))
        office.connectors.entered_tokens.enter(
            workspace="w1", installation_id=made.id, member="mona", token="glpat-of-the-group"
        )
        left = office.connectors.members.offboard(workspace="w1", member="mona", actor="operator")
        assert left.hand_over == ()
        removed = office.connectors.onboarding.remove(workspace="w1", installation_id=made.id, actor="operator")
        assert removed.revocation is Revocation.UNSUPPORTED
        assert not any("token_type_hint" in form for form in office.server.exchanges)


def test_who_authorises_another_account_by_mistake_is_told(office: Office) -> None:
    """Nothing changes; of a grant that reaches several accounts, the right one is taken without asking."""
    made = office.connect()
    with pytest.raises(OnboardingRefusedError) as caught:
        office.reauthorise(made, account=EIGHT)
    assert caught.value.refusal == "account_mismatch"
    with pytest.raises(OnboardingRefusedError) as caught:
        office.reauthorise(made, accounts=[EIGHT, {"id": "9"}])
    assert caught.value.refusal == "account_mismatch"
    assert office.now(made) == made
    step = office.reauthorise(made, accounts=[EIGHT, ACCOUNT])
    assert isinstance(step, Done)
    assert [each.id for each in step.installations] == [made.id]
    assert len(office.connectors.installations("w1")) == 1


def test_a_choice_among_accounts_is_still_asked_when_connecting(office: Office) -> None:
    """Only who authorises again has chosen before."""
    assert isinstance(office.authorise(office.begin(), accounts=[EIGHT, ACCOUNT]), PickAccount)


def test_the_app_is_uninstalled_and_comes_back(office: Office) -> None:
    """The mapping, the link, the policies and our ids are the same again, and deliveries find their way."""
    made = office.connect(installation="41")
    office.connectors.inventory.sync("w1", made.id)
    mapping = office.map(made, "b1", "apollo")
    sent = office.connectors.links.begin(visitor=who(), installation_id=made.id)
    link = office.connectors.links.complete(
        visitor=who(),
        callback=Callback(provider="fake", host=office.host, parameters=office.server.approve(sent.url)),
    )
    assert isinstance(link, LinkDone)
    defaults = PolicyScope(workspace="w1", provider="fake", installation_id=made.id)
    project = PolicyScope(workspace="w1", provider="fake", project_id="apollo")
    for scope, fields in ((defaults, {"labels": ["urgent"]}), (project, {"digest_hours": None})):
        office.connectors.policies.set(scope, fields=fields, actor="member:mona")
    office.tell({"change": "uninstalled", "installation": "41", "account": ACCOUNT})
    assert stands(office, made) == ("removed", "uninstalled", "connect")
    assert office.connectors.mappings.get(workspace="w1", mapping_id=mapping).state is MappingState.ORPHANED
    office.clock.advance(60)
    back = office.connect(installation="42")
    assert (back.id, back.provider_installation_id) == (made.id, "42")
    assert stands(office, made) == ("active", "", "none")
    assert office.connectors.mappings.get(workspace="w1", mapping_id=mapping).state is MappingState.ACTIVE
    acting = office.connectors.links.act_as(workspace="w1", installation_id=made.id, member="mona")
    assert (acting.path.type, acting.path.user_link_id) == (Authority.USER_LINK, link.link.id)
    policy = office.connectors.policies.effective(workspace="w1", installation_id=back.id, project_id="apollo")
    assert policy.own == FakePolicy(digest_hours=None, labels=("urgent",))


def test_the_app_is_suspended_and_resumed(office: Office) -> None:
    """Nothing is asked of the provider meanwhile, and people are told who can end it."""
    made = office.connect(installation="42")
    office.tell({"change": "suspended", "installation": "42", "account": ACCOUNT})
    assert stands(office, made) == ("suspended", "suspended_by_provider", "resume_at_provider")
    office.tell({"change": "resumed", "installation": "42", "account": ACCOUNT})
    assert stands(office, made) == ("active", "", "none")


def test_the_webhook_is_removed_and_connecting_again_restores_it(office: Office) -> None:
    """Degraded says what is broken: no deliveries arrive."""
    made = office.connect(installation="42")
    office.tell({"change": "hook_removed", "installation": "42", "account": ACCOUNT})
    assert stands(office, made) == ("degraded", "webhook_removed", "restore_webhook")
    office.reauthorise(made)
    assert stands(office, made) == ("active", "", "none")


def test_the_account_is_deleted_and_restored(office: Office) -> None:
    """An orphan keeps everything, and a new proof of control revives it."""
    made = office.connect(installation="42")
    office.tell({"change": "account_deleted", "installation": "42", "account": ACCOUNT})
    assert stands(office, made) == ("orphaned", "account_deleted", "connect")
    office.clock.advance(60)
    assert office.connect(installation="43").id == made.id
    assert stands(office, made) == ("active", "", "none")


def test_the_scopes_grow_with_a_release_of_the_plugin(office: Office, database_url: str) -> None:
    """Deliveries go on; people learn what is missing, and a fresh grant settles it."""
    made = office.connect()
    assert stands(office, made) == ("active", "", "none")
    demanding = Script(strict(required_scopes=("boards:read", "boards:write")))
    with open_office(database_url, demanding, office=office) as newer:
        assert stands(newer, made) == ("needs_reconsent", "scopes_missing", "grant_more")
        assert newer.now(made).explanation.endswith(": boards:write")
        assert newer.now(made).is_live
        newer.reauthorise(made, scope="boards:read boards:write")
        assert stands(newer, made) == ("active", "", "none")
    assert stands(office, made) == ("active", "", "none")


def test_mona_removes_the_connection_and_the_provider_takes_the_grant_back(database_url: str) -> None:
    """What the provider said is told as it was; no secret is left, and the history is."""
    with open_office(database_url, Script(strict(revoke_url="{web}/oauth/revoke"))) as office:
        made = office.connect()
        removed = office.connectors.onboarding.remove(workspace="w1", installation_id=made.id, actor="member:mona")
        assert (removed.revocation, removed.installation.credential_id) == (Revocation.REVOKED, "")
        revoked = [form for form in office.server.exchanges if "token_type_hint" in form]
        assert [form["token_type_hint"] for form in revoked] == ["refresh_token", "access_token"]
        assert stands(office, made) == ("removed", "disconnected", "connect")
        given_up = office.connectors.audit.find("w1", verb="credential.given_up")[0]
        assert given_up.reason == "revoked"
        assert str(given_up.before["access_token"]).startswith("sha256:")
        again = office.connectors.onboarding.remove(workspace="w1", installation_id=made.id, actor="member:mona")
        assert again.revocation is Revocation.NOTHING_KEPT


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({}, 200, Revocation.UNSUPPORTED),
        ({"revoke_url": "{web}/oauth/revoke"}, 503, Revocation.FAILED),
        ({"revoke_url": "{web}/oauth/revoke"}, 400, Revocation.FAILED),
    ],
)
def test_a_grant_that_the_provider_keeps_is_not_called_revoked(
    database_url: str, changes: dict[str, Any], status: int, expected: Revocation
) -> None:
    """The removal holds all the same, and the person learns that the rest is to be done at the provider."""
    with open_office(database_url, Script(strict(**changes))) as office:
        made = office.connect()
        office.server.revocation_status = status
        removed = office.connectors.onboarding.remove(workspace="w1", installation_id=made.id, actor="operator")
        assert removed.revocation is expected
        assert removed.installation.status is InstallationStatus.REMOVED


def test_a_grant_of_several_accounts_ends_with_the_last_of_them(database_url: str) -> None:
    """Removing one site doesn't silence the others."""
    with open_office(database_url, Script(strict(revoke_url="{web}/oauth/revoke"))) as office:
        step = office.authorise(office.begin(), accounts=[ACCOUNT, EIGHT])
        assert isinstance(step, PickAccount)
        done = office.connectors.onboarding.choose(visitor=who(), state=step.state, account_ids=["7", "8"])
        assert isinstance(done, Done)
        results = [
            office.connectors.onboarding.remove(workspace="w1", installation_id=made.id, actor="operator")
            for made in done.installations
        ]
        assert [each.revocation for each in results] == [Revocation.STILL_USED, Revocation.REVOKED]


def test_every_status_has_a_next_step_and_every_reason_words() -> None:
    """Whatever happens, a person is told what it means and what to do."""
    moment = Installation(
        workspace="w1",
        id="i1",
        provider="fake",
        host="fake.example",
        app_id="a1",
        status=InstallationStatus.ACTIVE,
        status_at=MOMENT,
        created_at=MOMENT,
        updated_at=MOMENT,
    )
    for status in set(InstallationStatus) - {InstallationStatus.ACTIVE}:
        step = evolve(moment, status=status).next_step
        assert step.text, status
        assert step.action is not Action.NONE, status
    for reason in StatusReason:
        assert evolve(moment, status_reason=reason).explanation != reason, reason

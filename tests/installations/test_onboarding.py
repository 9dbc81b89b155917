"""Connecting accounts: one conversation each, an installation for each account, no project asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from speckitty_connectors import (
    Account,
    Callback,
    Change,
    ExternalIdentity,
    Lifecycle,
    NotFoundError,
    Resource,
    ResourceReference,
    Target,
    Visitor,
)
from speckitty_connectors.contract.fake import MANIFEST
from speckitty_connectors.conversations.refusals import OnboardingRefusedError, Refusal
from speckitty_connectors.conversations.steps import PickAccount, SendBrowser
from speckitty_connectors.credentials.tables import credentials
from speckitty_connectors.installations import approvals, lifecycle
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.steps import Done, Step, Waiting
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.lifecycle import update_states
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import MappingState
from speckitty_connectors.plugin import (
    AppTokenRules,
    Authorize,
    AwaitApproval,
    Connected,
    Conversation,
    InstallAnswer,
    Redirect,
)
from speckitty_connectors.resources.types import ResourceStatus
from testbed.desk import ACCOUNT, SESSION, USER, Desk, open_desk, state_in, strict
from testbed.layers import add_resources, audited, installation_of, resource_of

EIGHT = {"id": "8", "name": "Eight", "kind": "space"}
MENU = ResourceReference(kind="board", id="b1", key="kitchen/menu")


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A desk with one registered host; mappings follow."""
    with open_desk(database_url, follow=update_states) as opened:
        yield opened


def connected(step: Step) -> Installation:
    """Return the only installation of a finished conversation."""
    assert isinstance(step, Done)
    (installation,) = step.installations
    return installation


def kept(desk: Desk, kind: str = "grant") -> list[str]:
    """Return the ids of the credentials of a kind."""
    with desk.store.reading() as connection:
        return list(connection.execute(select(credentials.c.id).where(credentials.c.kind == kind)).scalars())


def test_a_proven_account_becomes_an_active_installation(desk: Desk) -> None:
    """It has the account, the scopes and the member, is stored as it is returned, and is audited."""
    made = connected(desk.connect({"installation": "42"}))
    assert (made.workspace, made.account_id, made.account_name, made.status) == ("w1", "7", "Seven", "active")
    assert (made.provider_installation_id, made.scopes, made.connected_by) == ("42", ("boards:read",), "mona")
    assert installation_of(desk.store, made) == made
    assert "installation.connected" in audited(desk.store)


def test_a_self_managed_host_may_speak_a_flow_of_its_own(database_url: str) -> None:
    """Where the manifest has another flow for self-managed hosts, their people are sent there, with its rules."""
    assert MANIFEST.install_oauth is not None
    own = evolve(MANIFEST.install_oauth, authorize_url="{web}/own/authorize", scopes=("READ",))
    with open_desk(database_url, manifest=strict(self_managed=own)) as desk:
        url = desk.begin().url
        assert url.startswith(f"{desk.server.host.url}/own/authorize?")
        assert "scope=READ" in url
        assert connected(desk.complete(desk.server.approve(url))).account_id == "7"


def test_the_grant_is_sealed_and_opens_to_what_was_granted(desk: Desk) -> None:
    """The installation keeps the tokens in the vault, and only there."""
    made = connected(desk.connect())
    with desk.store.reading() as connection:
        opened = desk.vault.open(connection, workspace="w1", credential_id=made.credential_id)
        (sealed,) = connection.execute(select(credentials.c.sealed).where(credentials.c.kind == "grant")).scalars()
    assert opened.values["access_token"].reveal() == "token-of-code-1"
    assert b"token-of" not in sealed


def test_no_database_connection_is_held_while_the_provider_is_asked(desk: Desk) -> None:
    """Neither the token exchange nor the plugin runs inside a transaction."""
    held = []
    pool = desk.store.engine.pool
    desk.server.on_exchange = lambda: held.append(pool.checkedout())  # type: ignore[attr-defined]  # QueuePool has it
    connect_it = desk.plugin.accounts

    def answer(conversation: Conversation) -> InstallAnswer:
        held.append(pool.checkedout())  # type: ignore[attr-defined]  # QueuePool has it
        return connect_it(conversation)

    desk.plugin.accounts = answer
    desk.connect()
    assert held == [0, 0, 0]


def test_what_the_plugin_remembers_comes_back_to_it(desk: Desk) -> None:
    """A landing's id is remembered through the authorisation, and the proof is the grant."""

    def answer(conversation: Conversation) -> InstallAnswer:
        if conversation.grant is not None:
            return Connected(accounts=(Account(id="7"),), installation=conversation.remembered["installation_id"])
        if conversation.parameters:
            return Authorize(remember=conversation.parameters, parameters={"login": "mona", "state": "forged"})
        return Redirect(url=f"https://fake.example/install?state={conversation.state}")

    desk.plugin.accounts = answer
    landing = {"state": state_in(desk.begin().url), "installation_id": "42"}
    sent = desk.complete(landing)
    assert isinstance(sent, SendBrowser)
    assert "login=mona" in sent.url
    assert state_in(sent.url) not in {"forged", landing["state"]}
    assert connected(desk.complete(desk.server.approve(sent.url))).provider_installation_id == "42"


def test_a_person_picks_among_the_accounts_of_a_grant(desk: Desk) -> None:
    """Each picked account becomes an installation, and they share one sealed grant."""
    step = desk.connect({"accounts": [ACCOUNT, EIGHT, {"id": "9"}]})
    assert isinstance(step, PickAccount)
    assert ([account.id for account in step.accounts], step.several) == (["7", "8", "9"], True)
    done = desk.choose(step.state, "7", "8")
    assert isinstance(done, Done)
    assert [made.account_id for made in done.installations] == ["7", "8"]
    assert {made.credential_id for made in done.installations} == set(kept(desk))
    assert len(kept(desk)) == 1
    assert len(desk.server.exchanges) == 1


@pytest.mark.parametrize("one_grant", [True, False])
def test_where_a_person_has_one_grant_its_newest_tokens_serve_all_they_connected(
    database_url: str, one_grant: bool
) -> None:
    """A second consent of a person replaces the grant of the first, where the provider keeps one a person."""
    with open_desk(database_url, manifest=strict(one_grant_per_person=one_grant)) as desk:
        first = connected(desk.connect({"account": ACCOUNT, "user": USER}))
        second = connected(desk.connect({"account": EIGHT, "user": USER}))
        other = connected(desk.connect({"account": {"id": "9"}, "user": {"id": "u2"}}))
        held = [installation_of(desk.store, each).credential_id for each in (first, second, other)]
        assert second.granted_by == ("u1" if one_grant else "")
        assert len(set(held)) == len(kept(desk)) == (2 if one_grant else 3)
        assert (held[0] == held[1]) is one_grant


def test_a_person_who_withdraws_takes_their_grant_along(database_url: str) -> None:
    """What speaks with the grant of whoever left has to be connected again; what others connected goes on."""
    with open_desk(database_url, manifest=strict(one_grant_per_person=True)) as desk:
        own = connected(desk.connect({"account": ACCOUNT, "user": USER}))
        other = connected(desk.connect({"account": EIGHT, "user": {"id": "u2"}}))
        told = Lifecycle(change=Change.LINK_REVOKED, identities=(ExternalIdentity(id="u1"),))
        for installation in (own, other):
            with desk.store.transaction() as connection:
                lifecycle.apply(connection, installation=installation, lifecycle=told, now=desk.clock())
        assert installation_of(desk.store, own).status is InstallationStatus.NEEDS_REAUTHORISATION
        assert installation_of(desk.store, other).status is InstallationStatus.ACTIVE


def test_an_address_belongs_to_the_account_that_proved_it_last(desk: Desk) -> None:
    """Addresses are labels: one that the provider gave to another account finds the former holder no more."""
    address = "https://kitchen.example"
    first = connected(desk.connect({"account": {**ACCOUNT, "url": address}}))
    assert first.account_url == address
    second = connected(desk.connect({"account": {**EIGHT, "url": address}}, workspace="w2"))
    assert installation_of(desk.store, first).account_url == ""
    assert installation_of(desk.store, second).account_url == address


@pytest.mark.parametrize("picked", [[], ["10"], ["7", "10"], ["7", "7"]])
def test_what_was_not_offered_cannot_be_picked(desk: Desk, picked: list[str]) -> None:
    """Nothing is connected, and the choice is used up with its grant."""
    step = desk.connect({"accounts": [ACCOUNT, EIGHT]})
    assert isinstance(step, PickAccount)
    for ids, refusal in ((picked, Refusal.CHOICE_INVALID), (["7"], Refusal.STATE_USED)):
        with pytest.raises(OnboardingRefusedError) as caught:
            desk.choose(step.state, *ids)
        assert caught.value.refusal == refusal
    assert kept(desk) == kept(desk, "conversation") == []


def test_another_browser_cannot_pick(desk: Desk) -> None:
    """The choice belongs to the browser session that authorised."""
    step = desk.connect({"accounts": [ACCOUNT, EIGHT]})
    assert isinstance(step, PickAccount)
    with pytest.raises(OnboardingRefusedError) as caught:
        desk.choose(step.state, "7", session="another")
    assert caught.value.refusal == Refusal.SESSION_MISMATCH


def test_an_app_that_mints_its_tokens_keeps_no_grant_of_a_person(database_url: str) -> None:
    """The grant proved control and is dropped: no leaver's token is behind the installation."""
    minting = evolve(MANIFEST, app_tokens=AppTokenRules(mint_url="{api}/installations/{installation}/tokens"))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    with open_desk(database_url, manifest=minting, private_key=key.decode()) as desk:
        assert connected(desk.connect()).credential_id == ""
        assert kept(desk) == []


def test_a_reinstall_revives_what_was_there(desk: Desk) -> None:
    """Our id, the resources and the mappings are the same again, under the provider's new installation id."""
    first = connected(desk.connect({"installation": "41"}))
    add_resources(desk.store, first, Resource(kind="board", id="b1", key="kitchen/menu"))
    mappings = Mappings(desk.store)
    mapping = mappings.create(
        workspace="w1",
        installation_id=first.id,
        resource=MENU,
        target=Target(kind="project", id="apollo"),
        actor="member:mona",
    )
    happen(desk, first, Lifecycle(change=Change.UNINSTALLED))
    assert mappings.get(workspace="w1", mapping_id=mapping.id).state is MappingState.ORPHANED
    again = connected(desk.connect({"installation": "42"}))
    assert (again.id, again.status, again.provider_installation_id) == (first.id, "active", "42")
    assert resource_of(desk.store, again, "b1").status is ResourceStatus.ACTIVE
    assert mappings.get(workspace="w1", mapping_id=mapping.id).state is MappingState.ACTIVE
    assert kept(desk) == [again.credential_id]


def test_an_uninstall_on_the_provider_s_side_leaves_no_grant(desk: Desk) -> None:
    """The last account that speaks with it takes the grant with it, and no one before."""
    step = desk.connect({"accounts": [ACCOUNT, EIGHT]})
    assert isinstance(step, PickAccount)
    done = desk.choose(step.state, "7", "8")
    assert isinstance(done, Done)
    for made, left in zip(done.installations, (1, 0), strict=True):
        happen(desk, made, Lifecycle(change=Change.UNINSTALLED))
        assert len(kept(desk)) == left


def test_a_reinstall_of_one_account_leaves_the_grant_of_its_siblings(desk: Desk) -> None:
    """A grant is forgotten only when no installation holds it any more."""
    step = desk.connect({"accounts": [ACCOUNT, EIGHT]})
    assert isinstance(step, PickAccount)
    shared = desk.choose(step.state, "7", "8")
    assert isinstance(shared, Done)
    again = connected(desk.connect())
    assert set(kept(desk)) == {again.credential_id, shared.installations[1].credential_id}


def test_two_workspaces_may_connect_one_account_each_with_its_own_proof(desk: Desk) -> None:
    """Neither hears of the other, and each has an installation and a grant of its own."""
    first = connected(desk.connect())
    second = connected(desk.connect(workspace="w2", member="hugo"))
    assert (second.workspace, second.account_id) == ("w2", "7")
    assert first.id != second.id
    assert len(kept(desk)) == 2


def test_a_removed_installation_keeps_its_mappings_and_no_grant(desk: Desk) -> None:
    """It is done once, and another workspace can't do it."""
    made = connected(desk.connect())
    add_resources(desk.store, made, Resource(kind="board", id="b1", key="kitchen/menu"))
    with pytest.raises(NotFoundError):
        desk.onboarding.remove(workspace="w2", actor="member:eve", installation_id=made.id)
    for _ in range(2):
        gone = desk.onboarding.remove(workspace="w1", actor="member:mona", installation_id=made.id).installation
    assert (gone.status, gone.credential_id, kept(desk)) == ("removed", "", [])
    assert resource_of(desk.store, made, "b1").status is ResourceStatus.ORPHANED
    assert audited(desk.store).count("installation.disconnected") == 1


def happen(desk: Desk, installation: Installation, told: Lifecycle) -> None:
    """Let the provider change something."""
    desk.clock.advance(1)
    with desk.store.transaction() as connection:
        lifecycle.apply(
            connection, installation=installation, lifecycle=told, now=desk.clock(), follow=update_states
        )


class Approvals:
    """A provider at which an owner has to approve first, and whose landing then has no state."""

    def __init__(self, account: Account | None = None) -> None:
        self.account = account

    def __call__(self, conversation: Conversation) -> InstallAnswer:
        grant, landing = conversation.grant, conversation.parameters
        if grant is None:
            return Authorize(remember=landing)
        person = ExternalIdentity(**grant.details["user"])  # type: ignore[arg-type]  # USER or the like
        wanted = conversation.remembered.get("installation_id")
        if wanted is None:
            return AwaitApproval(requester=person, account=self.account)
        return Connected(accounts=(Account(id="7", name="Seven"),), installation=wanted, connected_by=person)


def approve(
    desk: Desk, *, requester: str = "u1", account: str = "7", now: datetime | None = None
) -> list[Installation]:
    """Let an owner approve on the provider's side."""
    told = Lifecycle(
        change=Change.INSTALLED,
        installation="42",
        account=Account(id=account, name="Seven"),
        requester=ExternalIdentity(id=requester),
        scopes=("boards:read",),
    )
    with desk.store.transaction() as connection:
        return approvals.settle(
            connection,
            told,
            desk.place["provider"],
            desk.place["host"],
            now=now or desk.clock(),
            follow=update_states,
        )


def waiting(step: Step) -> Installation:
    """Return what waits for an owner."""
    assert isinstance(step, Waiting)
    return step.installation


def test_a_request_waits_once_and_an_owners_approval_activates_it(desk: Desk) -> None:
    """The signed delivery names the proven requester; no browser of the owner's has to come back."""
    desk.plugin.accounts = Approvals()
    asked = waiting(desk.connect())
    assert (asked.status, asked.requester_id, asked.connected_by) == ("pending_approval", "u1", "mona")
    assert waiting(desk.connect()).id == asked.id
    (settled,) = approve(desk)
    assert (settled.id, settled.status, settled.account_id) == (asked.id, "active", "7")
    assert settled.provider_installation_id == "42"
    assert installation_of(desk.store, asked) == settled
    assert approve(desk) == []
    assert {"installation.requested", "installation.connected"} <= set(audited(desk.store))


@pytest.mark.parametrize("values", [{"requester": "u2"}, {"account": "8"}])
def test_an_approval_of_something_else_activates_nothing(desk: Desk, values: dict[str, Any]) -> None:
    """Another person's request, or one for another account, isn't this one."""
    desk.plugin.accounts = Approvals(Account(id="7"))
    asked = waiting(desk.connect())
    assert approve(desk, **values) == []
    assert installation_of(desk.store, asked).status is InstallationStatus.PENDING_APPROVAL


def test_an_approval_that_fits_two_workspaces_activates_neither(desk: Desk) -> None:
    """Nothing says which of the two was meant, so a person has to claim it with a grant of their own."""
    desk.plugin.accounts = Approvals()
    for workspace in ("w1", "w2"):
        desk.connect(workspace=workspace)
    assert approve(desk) == []


def test_a_request_for_the_very_account_comes_before_one_for_an_unknown(desk: Desk) -> None:
    """Where one workspace named the account and the other didn't, the first was meant."""
    desk.plugin.accounts = Approvals()
    desk.connect(workspace="w2")
    desk.plugin.accounts = Approvals(Account(id="7"))
    named = waiting(desk.connect())
    assert [settled.id for settled in approve(desk)] == [named.id]


def test_an_old_request_is_not_approved(desk: Desk) -> None:
    """After thirty days its requester may work for somebody else."""
    desk.plugin.accounts = Approvals()
    desk.connect()
    desk.clock.advance(31 * 24 * 3600)
    assert approve(desk) == []


def test_an_approval_revives_an_account_that_was_connected_before(desk: Desk) -> None:
    """The request becomes the workspace's old installation of the account, its id unchanged."""
    before = connected(desk.connect())
    happen(desk, before, Lifecycle(change=Change.UNINSTALLED))
    desk.plugin.accounts = Approvals()
    desk.connect()
    (settled,) = approve(desk)
    assert (settled.id, settled.status) == (before.id, "active")


def test_a_landing_without_state_is_claimed_by_a_grant_of_ones_own(desk: Desk) -> None:
    """What the URL says is remembered only; the request of the same member becomes the installation."""
    desk.plugin.accounts = Approvals()
    asked = waiting(desk.connect())
    sent = desk.onboarding.claim(
        visitor=Visitor(workspace="w1", member="mona", session=SESSION),
        callback=Callback(parameters={"installation_id": "42", "code": "forged", "state": ""}, **desk.place),
    )
    assert dict(desk.plugin.seen[-1].parameters) == {"installation_id": "42"}
    claimed = connected(desk.complete(desk.server.approve(sent.url)))
    assert (claimed.id, claimed.status, claimed.provider_installation_id) == (asked.id, "active", "42")


def test_a_claim_of_somebody_elses_installation_is_the_plugins_to_refuse(desk: Desk) -> None:
    """A plugin that takes an account for connected without any grant is not believed."""
    desk.plugin.accounts = lambda _: Connected(accounts=(Account(id="7"),))
    with pytest.raises(OnboardingRefusedError) as caught:
        desk.onboarding.claim(
            visitor=Visitor(workspace="w1", member="eve", session=SESSION),
            callback=Callback(parameters={"installation_id": "42"}, **desk.place),
        )
    assert caught.value.refusal == Refusal.UNPROVEN
    assert desk.server.exchanges == []


@pytest.mark.parametrize(
    "answer",
    [
        Connected(accounts=(Account(id="7"),)),
        AwaitApproval(requester=ExternalIdentity(id=str(USER["id"]))),
    ],
)
def test_nothing_is_proven_by_a_landing(desk: Desk, answer: InstallAnswer) -> None:
    """An account, or a requester, that no grant proved is refused after a landing too."""
    desk.plugin.accounts = lambda conversation: (
        answer if conversation.parameters else Redirect(url=f"https://fake.example/?state={conversation.state}")
    )
    with pytest.raises(OnboardingRefusedError) as caught:
        desk.complete({"state": state_in(desk.begin().url), "installation_id": "42"})
    assert caught.value.refusal == Refusal.UNPROVEN


def test_a_provider_without_a_registered_app_cannot_be_begun(desk: Desk) -> None:
    """The host learns which app is missing."""
    with pytest.raises(NotFoundError):
        desk.begin(host="elsewhere.example")


def test_an_account_is_authorised_again_and_no_other_instead(desk: Desk) -> None:
    """The plugin is told which account is meant; whoever authorises another one is refused, and nothing changes."""
    made = connected(desk.connect())
    mona = Visitor(workspace="w1", member="mona", session=SESSION)
    begin = partial(desk.onboarding.reauthorise, visitor=mona, installation_id=made.id)
    with pytest.raises(OnboardingRefusedError) as caught:
        desk.complete(desk.server.approve(begin().url, account=EIGHT))
    assert caught.value.refusal == Refusal.ACCOUNT_MISMATCH
    assert [conversation.account for conversation in desk.plugin.seen[-2:]] == [made.account, made.account]
    assert kept(desk) == [made.credential_id]
    again = connected(desk.complete(desk.server.approve(begin().url)))
    assert (again.id, again.account_id, again.credential_id == made.credential_id) == (made.id, "7", False)


def test_an_unknown_installation_cannot_be_authorised_again(desk: Desk) -> None:
    """Nobody is sent anywhere for an installation of another workspace."""
    made = connected(desk.connect())
    with pytest.raises(NotFoundError):
        desk.onboarding.reauthorise(
            visitor=Visitor(workspace="w2", member="eve", session=SESSION), installation_id=made.id
        )

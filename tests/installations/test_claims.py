"""One account and several workspaces: shared where each proved control, or held by the first alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from speckitty_connectors import Account, Change, ExternalIdentity, Lifecycle
from speckitty_connectors.conversations.attempts import Attempt, Purpose
from speckitty_connectors.conversations.refusals import OnboardingRefusedError
from speckitty_connectors.installations import approvals, lifecycle
from speckitty_connectors.installations.activation import AccountTakenError
from speckitty_connectors.installations.activation import connect as establish
from speckitty_connectors.installations.steps import Done, Waiting
from speckitty_connectors.installations.types import Installation, follow_nothing
from speckitty_connectors.plugin import Authorize, AwaitApproval, Connected, Conversation
from speckitty_connectors.store.audit import Audit, AuditEntry
from speckitty_connectors.store.engine import Store
from testbed.desk import ACCOUNT, Desk, open_desk
from testbed.layers import add_installation

MONA = {"workspace": "w1", "member": "mona"}
EVE = {"workspace": "w2", "member": "eve"}


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A desk at which accounts are exclusive."""
    with open_desk(database_url, exclusive_accounts=True) as opened:
        yield opened


def connect(desk: Desk, account: str = "7", **values: str) -> Installation:
    """Connect an account."""
    step = desk.connect({"account": {**ACCOUNT, "id": account}}, **values)
    assert isinstance(step, Done)
    return step.installations[0]


def refusal(desk: Desk, account: str = "7", **values: str) -> OnboardingRefusedError:
    """Return how an attempt to connect an account is refused."""
    with pytest.raises(OnboardingRefusedError) as caught:
        connect(desk, account, **values)
    return caught.value


def entries(desk: Desk, workspace: str) -> list[AuditEntry]:
    """Return the audit of a workspace."""
    return list(Audit(desk.store).find(workspace, limit=1000))


def test_the_first_workspace_holds_an_account_alone(desk: Desk) -> None:
    """The second is refused, also when it asks again; another account is free."""
    held = connect(desk, **MONA)
    assert held.is_exclusive
    for _ in range(2):
        assert refusal(desk, **EVE).refusal == "account_unavailable"
    assert connect(desk, "8", **EVE).account_id == "8"


def test_the_refusal_tells_nothing_about_the_holder(desk: Desk) -> None:
    """Whoever holds it, and whatever for, the refused workspace sees the same bytes."""
    connect(desk, "7", **MONA)
    connect(desk, "9", workspace="a very secret customer", member="zoe")
    first, second = refusal(desk, "7", **EVE), refusal(desk, "9", **EVE)
    assert (str(first), first.refusal) == (str(second), second.refusal)
    told = [(entry.verb, entry.reason, entry.actor, dict(entry.after)) for entry in entries(desk, "w2")]
    assert told[0] == told[1]
    assert "secret" not in str(told)


def test_the_holder_learns_that_somebody_tried_and_not_who(desk: Desk) -> None:
    """It is in the holder's audit alone."""
    held = connect(desk, **MONA)
    refusal(desk, **EVE)
    contested = next(entry for entry in entries(desk, "w1") if entry.verb == "installation.contested")
    assert contested.entity_id == held.id
    assert "w2" not in contested.as_line()
    assert "eve" not in contested.as_line()


def test_no_grant_of_the_refused_is_kept(desk: Desk) -> None:
    """What was refused leaves nothing behind."""
    connect(desk, **MONA)
    refusal(desk, **EVE)
    with desk.store.reading() as connection:
        assert connection.exec_driver_sql("select count(*) from installations").scalar_one() == 1
        kinds = connection.exec_driver_sql("select kind from credentials").scalars().all()
    assert kinds.count("grant") == 1


@pytest.mark.parametrize("how", ["removed", "uninstalled"])
def test_an_account_is_free_again_when_its_holder_is_gone(desk: Desk, how: str) -> None:
    """And then the former holder is the one who is refused."""
    held = connect(desk, **MONA)
    if how == "removed":
        desk.onboarding.remove(workspace="w1", installation_id=held.id, actor="member:mona")
    else:
        with desk.store.transaction() as connection:
            told = Lifecycle(change=Change.UNINSTALLED)
            lifecycle.apply(connection, installation=held, lifecycle=told, now=desk.clock())
    assert connect(desk, **EVE).is_exclusive
    assert refusal(desk, **MONA).refusal == "account_unavailable"


def test_the_holder_may_authorise_again(desk: Desk) -> None:
    """An account isn't taken by the workspace that has it."""
    held = connect(desk, **MONA)
    assert connect(desk, **MONA).id == held.id


def test_what_was_shared_before_the_setting_counts(desk: Desk) -> None:
    """An account that a workspace shares already isn't handed to another one alone."""
    add_installation(desk.store, "w9", host=desk.place["host"])
    assert refusal(desk, **EVE).refusal == "account_unavailable"


def test_a_late_approval_does_not_take_an_account_from_its_holder(desk: Desk) -> None:
    """The request goes on waiting, and nothing fails."""

    def answer(conversation: Conversation) -> Authorize | AwaitApproval:
        person = ExternalIdentity(id="u1")
        return AwaitApproval(requester=person) if conversation.grant else Authorize()

    connect_it = desk.plugin.accounts
    desk.plugin.accounts = answer
    waiting = desk.connect(workspace="w2", member="eve")
    assert isinstance(waiting, Waiting)
    desk.plugin.accounts = connect_it
    connect(desk, **MONA)
    told = Lifecycle(
        change=Change.INSTALLED,
        account=Account(id="7"),
        requester=ExternalIdentity(id="u1"),
        installation="42",
    )
    with desk.store.transaction() as connection:
        assert (
            approvals.settle(connection, told, desk.place["provider"], desk.place["host"], now=desk.clock()) == []
        )
    assert status(desk.store, waiting.installation) == "pending_approval"


def status(store: Store, installation: Installation) -> str:
    """Return the stored status."""
    with store.reading() as connection:
        query = "select status from installations where workspace_id = 'w2' and id = '" + installation.id + "'"
        return str(connection.exec_driver_sql(query).scalar_one())


@pytest.mark.soak
def test_two_hundred_races_have_two_hundred_winners(desk: Desk) -> None:
    """Two workspaces that proved control of an account write it at the same moment; SQL lets one of them."""
    outcomes: list[tuple[str, str]] = []
    start = threading.Barrier(2)

    def race(workspace: str) -> None:
        for number in range(200):
            account = f"account-{number}"
            start.wait()
            outcomes.append((account, write(desk, workspace, account)))

    threads = [threading.Thread(target=race, args=[workspace]) for workspace in ("w1", "w2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [(f"account-{number}", outcome) for number in range(200) for outcome in ("taken", "won")]
    assert sorted(outcomes) == sorted(expected)


def write(desk: Desk, workspace: str, account: str) -> str:
    """Write what a conversation proved, as onboarding does at its end."""
    attempt = Attempt(
        workspace=workspace,
        member="mona",
        session_digest="",
        purpose=Purpose.INSTALL,
        provider=desk.place["provider"],
        host=desk.place["host"],
        app_id="app",
        redirect_uri="",
        expires_at=desk.clock(),
    )
    try:
        with desk.store.transaction() as connection:
            establish(
                connection,
                attempt=attempt,
                connected=Connected(accounts=(Account(id=account),)),
                credential_id="",
                exclusive=True,
                now=desk.clock(),
                follow=follow_nothing,
            )
    except AccountTakenError:
        return "taken"
    return "won"

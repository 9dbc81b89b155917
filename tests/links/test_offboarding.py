"""Members leave: what was theirs ends, what is shared stays, and no routing decision changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speckitty_connectors import Callback, ExternalIdentity, Installation
from speckitty_connectors.conversations.refusals import OnboardingRefusedError
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.links.types import LinkStatus
from speckitty_connectors.providers.suggestions import Evidence
from speckitty_connectors.routing.types import RoutedTarget, Stage
from testbed.inbound import Inbound, card
from testbed.office import Office, open_office, who

MEMBERS = ("mona", "hugo", "eve")
BOARDS = ("b1", "b2", "b9")
Why = tuple[Stage, str, tuple[RoutedTarget, ...], tuple[Evidence, ...]]


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A host that mona connected."""
    with open_office(database_url) as opened:
        yield opened


def staff(office: Office, workspace: str = "w1", account_id: str = "7") -> Installation:
    """Connect an account, link everybody, and map two of three boards."""
    made = office.connect("mona", workspace, account={"id": account_id, "name": "Seven"})
    office.connectors.inventory.sync(workspace, made.id)
    for number, member in enumerate(MEMBERS):
        sent = office.connectors.links.begin(visitor=who(member, workspace), installation_id=made.id)
        office.connectors.links.complete(
            visitor=who(member, workspace),
            callback=Callback(
                provider="fake",
                host=office.host,
                parameters=office.server.approve(sent.url, user={"id": f"u{number}", "name": member}),
            ),
        )
    office.map(made, "b1", "apollo")
    office.map(made, "b2", "gemini")
    return made


def test_a_leavers_links_end_and_the_installation_stays(office: Office) -> None:
    """Colleagues keep theirs; the connection that hangs on the leaver's grant is named; twice is once."""
    made = staff(office)
    before = office.now(made)
    left = office.connectors.members.offboard(workspace="w1", member="mona", actor="member:olga")
    assert [each.link.member for each in left.links] == ["mona"]
    assert [each.id for each in left.hand_over] == [made.id]
    assert office.now(made) == before
    assert {each.member: each.status for each in office.connectors.links.list(workspace="w1")} == {
        "mona": LinkStatus.REVOKED,
        "hugo": LinkStatus.ACTIVE,
        "eve": LinkStatus.ACTIVE,
    }
    assert office.connectors.members.offboard(workspace="w1", member="hugo", actor="operator").hand_over == ()
    again = office.connectors.members.offboard(workspace="w1", member="mona", actor="member:olga")
    assert [each.revocation.value for each in again.links] == ["nothing_kept"]
    assert office.verbs().count("link.revoked") == 2


def test_what_a_leaver_has_under_way_ends(office: Office) -> None:
    """A half-finished conversation can't be completed any more, from any browser."""
    sent = office.begin("mona")
    office.connectors.members.offboard(workspace="w1", member="mona", actor="operator")
    with pytest.raises(OnboardingRefusedError) as caught:
        office.authorise(sent, "mona")
    assert caught.value.refusal == "state_unknown"


def test_the_same_person_in_another_workspace_stays(office: Office) -> None:
    """Offboarding ends what is one workspace's alone."""
    office.connect("mona")
    other = office.connect("mona", workspace="w2")
    sent = office.connectors.links.begin(visitor=who("mona", "w2"), installation_id=other.id)
    office.connectors.links.complete(
        visitor=who("mona", "w2"),
        callback=Callback(provider="fake", host=office.host, parameters=office.server.approve(sent.url)),
    )
    office.connectors.members.offboard(workspace="w1", member="mona", actor="operator")
    assert [each.status for each in office.connectors.links.list(workspace="w2")] == [LinkStatus.ACTIVE]


@pytest.mark.soak
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(leavers=st.sets(st.sampled_from(MEMBERS)), actor=st.sampled_from(["u0", "u1", "u2", "u9"]))
def test_deactivating_any_members_changes_no_routing_decision(
    office: Office, leavers: set[str], actor: str
) -> None:
    """The same deliveries are decided the same, whoever has left, whoever acted, down to the evidence."""
    made = staff(office, workspace=new_id(), account_id=new_id())
    before = decisions(office, made, actor)
    for member in sorted(leavers):
        office.connectors.members.offboard(workspace=made.workspace, member=member, actor="operator")
    assert decisions(office, made, actor) == before


def decisions(office: Office, made: Installation, actor: str) -> list[list[Why]]:
    """Post an event on each board; return what was decided, and why."""
    inbound = Inbound(store=office.connectors.store, registry=office.connectors.registry)
    decided = []
    for board in BOARDS:
        document = card(board, made.account_id, actor={"id": actor}, subject=new_id())
        found = inbound.decisions(office.post(document), made.workspace)
        decided.append([(each.stage, each.rule, each.targets, each.evidence) for each in found])
    assert all(decided)
    return decided


def test_an_identity_of_a_leaver_is_free(office: Office) -> None:
    """Whoever proves it next gets it."""
    made = staff(office)
    office.connectors.members.offboard(workspace="w1", member="mona", actor="operator")
    taken = office.connectors.links.confirm(
        workspace="w1",
        installation_id=made.id,
        member="olga",
        identity=ExternalIdentity(id="u0"),
        actor="operator",
    )
    assert taken.status is LinkStatus.ACTIVE

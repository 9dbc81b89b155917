"""Layer 4 on an event's way: which targets want it, and what is kept of the policy that held."""

from __future__ import annotations

import pytest
from attrs import evolve

from speckitty_connectors import ConfigurationError, PolicyScope, Resource, Signal
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.policy.service import Policies
from speckitty_connectors.providers.suggestions import Target
from speckitty_connectors.routing import explanation
from speckitty_connectors.routing.review.queue import ReviewQueue
from speckitty_connectors.routing.simulation import Proposal, ProposedPolicy, as_bytes, simulate
from speckitty_connectors.routing.types import Decision, Stage
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store.engine import Store
from speckitty_connectors.suggestions.service import Suggestions
from testbed.inbound import Inbound, card
from testbed.layers import MOMENT, add_installation, add_resources

WORKSPACE = PolicyScope(workspace="w1", provider="fake")
APOLLO = evolve(WORKSPACE, project_id="apollo")
MONA = "member:mona"
MUTED = {"muted_kinds": ["card"]}


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees a board."""
    made = add_installation(store)
    add_resources(store, made, Resource(kind="board", id="b1", key="kitchen/b1"))
    return made


@pytest.fixture
def inbound(store: Store, installation: Installation) -> Inbound:
    """An inbox and a router with every stage."""
    return Inbound.on(store)


@pytest.fixture
def policies(store: Store, inbound: Inbound) -> Policies:
    """What is said of policies."""
    return Policies(store, inbound.registry)


def routed(inbound: Inbound, **values: object) -> Decision:
    """Deliver a card of the board, route it, and return the decision."""
    event_id = inbound.deliver(inbound.endpoint(), card("b1", "7", **values))
    while inbound.router().route_due():
        pass
    return inbound.decision(event_id)


def test_an_event_that_its_project_mutes_is_ignored(
    inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """The explanation names the mapping that would have taken it, the field, who set it and at which level."""
    inbound.map(installation, "b1", "apollo")
    policies.set(APOLLO, fields=MUTED, actor=MONA)
    decision = routed(inbound)
    assert (decision.stage, decision.rule, decision.targets) == (Stage.IGNORED, "blocked_by_policy", ())
    mapped, blocked = decision.evidence
    assert mapped.text.endswith("is mapped to project:apollo")
    assert 'project:apollo doesn\'t want it: muted_kinds = ["card"] (project, by member:mona at' in blocked.text


def test_a_kind_may_be_muted_for_one_action(
    inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """``kind.action`` mutes that action alone."""
    inbound.map(installation, "b1", "apollo")
    policies.set(APOLLO, fields={"muted_kinds": ["card.moved"]}, actor=MONA)
    assert routed(inbound, action="moved").stage is Stage.IGNORED
    assert routed(inbound, action="made").stage is Stage.EXPLICIT


def test_one_target_may_want_what_another_mutes(
    inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """The event goes where it is wanted, and says where it isn't."""
    for project in ("apollo", "gemini"):
        inbound.map(installation, "b1", project)
    policies.set(APOLLO, fields=MUTED, actor=MONA)
    decision = routed(inbound)
    assert (decision.stage, decision.rule) == (Stage.EXPLICIT, "mapping")
    assert [str(each.target) for each in decision.targets] == ["project:gemini"]
    assert [each.rule for each in decision.evidence if each.against] == ["blocked_by_policy"]


def test_targets_that_are_no_project_follow_the_defaults(
    inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """A feed that is called like a project has none of its exceptions."""
    inbound.map(installation, "b1", Target(kind="feed", id="apollo"))
    policies.set(APOLLO, fields=MUTED, actor=MONA)
    assert routed(inbound).stage is Stage.EXPLICIT
    policies.set(evolve(WORKSPACE, installation_id=installation.id), fields=MUTED, actor=MONA)
    assert routed(inbound).rule == "blocked_by_policy"


def test_the_policy_that_held_is_kept_with_the_decision(
    store: Store, inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """What people set is explained as it was then, whatever they set since; defaults aren't repeated."""
    inbound.map(installation, "b1", "apollo")
    policies.set(WORKSPACE, fields={"digest_hours": 12}, actor=MONA)
    policies.lock(WORKSPACE, fields=["digest_hours"], actor=MONA)
    decision = routed(inbound)
    policies.set(WORKSPACE, fields={"digest_hours": 6}, actor=MONA)
    (target,) = inbound.decision(decision.event_id).targets
    assert {name: said.value for name, said in target.policy.items()} == {"digest_hours": 12}
    with store.reading() as connection:
        explained = explanation.explain(connection, workspace="w1", event_id=decision.event_id)
    line = next(line for line in explained.lines() if "policy of" in line)
    assert line.startswith("  policy of project:apollo: digest_hours = 12 (workspace, by member:mona at")
    assert "locked: workspace, by member:mona" in line


def test_another_workspaces_policies_are_not_asked(
    store: Store, inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """The same account and project id elsewhere have their own."""
    theirs = add_installation(store, workspace="w2")
    add_resources(store, theirs, Resource(kind="board", id="b1", key="kitchen/b1"))
    for each in (installation, theirs):
        inbound.map(each, "b1", "apollo")
    policies.set(evolve(APOLLO, workspace="w2"), fields=MUTED, actor="member:eve")
    decision = routed(inbound)
    assert decision.stage is Stage.EXPLICIT
    assert inbound.decision(decision.event_id, "w2").rule == "blocked_by_policy"


def test_what_was_inferred_may_be_muted_and_is_learnt_all_the_same(
    store: Store, inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """The suggestion is right, whether or not the project wants this event."""
    signal = Signal(project_id="apollo", remote_url="git@fake.example:kitchen/b1.git", observed_at=MOMENT)
    Signals(store).report(workspace="w1", signals=[signal])
    policies.set(APOLLO, fields=MUTED, actor=MONA)
    assert routed(inbound).rule == "blocked_by_policy"
    suggestions = Suggestions(store, inbound.registry, Mappings(store))
    assert [str(each.target) for each in suggestions.list(workspace="w1")] == ["project:apollo"]


def test_what_waits_is_held_against_the_policy_when_it_is_replayed(
    store: Store, inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """Mapping an item doesn't hand over what its project mutes."""
    assert routed(inbound).stage is Stage.REVIEW
    (item,) = inbound.review_items()
    policies.set(APOLLO, fields=MUTED, actor=MONA)
    review = ReviewQueue(store, inbound.registry, Mappings(store))
    target = Target(kind="project", id="apollo")
    mapped = review.map(workspace="w1", item_id=item.id, target=target, actor=MONA)
    assert dict(mapped.replay.decided) == {Stage.IGNORED: 1}


def test_a_change_of_policy_is_simulated(
    store: Store, inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """A proposal says what would become of an event, a lock wins over it, and nothing is written."""
    inbound.map(installation, "b1", "apollo")
    decision = routed(inbound)
    proposal = Proposal(policies=(ProposedPolicy(scope=APOLLO, fields=MUTED),))

    def tried() -> tuple[Stage, Stage]:
        (simulated,) = simulate(
            store, inbound.registry, workspace="w1", event_id=decision.event_id, proposal=proposal
        )
        return simulated.now.stage, simulated.proposed.stage

    assert tried() == (Stage.EXPLICIT, Stage.IGNORED)
    assert policies.get(APOLLO).statements == {}
    policies.lock(WORKSPACE, fields=["muted_kinds"], actor=MONA)
    assert tried() == (Stage.EXPLICIT, Stage.EXPLICIT)


def test_a_proposed_policy_is_checked_like_a_real_one(
    store: Store, inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """What couldn't be set can't be tried."""
    inbound.map(installation, "b1", "apollo")
    decision = routed(inbound)
    proposal = Proposal(policies=(ProposedPolicy(scope=APOLLO, fields={"muted_kinds": "card"}),))
    with pytest.raises(ConfigurationError, match=r"\$\.muted_kinds"):
        simulate(store, inbound.registry, workspace="w1", event_id=decision.event_id, proposal=proposal)


def test_the_same_event_under_the_same_policy_is_decided_byte_for_byte(
    store: Store, inbound: Inbound, policies: Policies, installation: Installation
) -> None:
    """In whatever order fields were set, the conclusion is the same bytes."""
    inbound.map(installation, "b1", "apollo")
    policies.set(APOLLO, fields={"labels": ["a"]}, actor=MONA)
    policies.set(APOLLO, fields={"digest_hours": 1}, actor=MONA)
    event_id = routed(inbound).event_id
    first, again = (simulate(store, inbound.registry, workspace="w1", event_id=event_id)[0].now for _ in range(2))
    assert as_bytes(first) == as_bytes(again)
    assert list(first.targets[0].policy) == ["digest_hours", "labels"]

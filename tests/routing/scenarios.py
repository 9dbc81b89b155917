"""Worlds whose decisions are recorded: every stage and rule, alone and in one batch.

Here is what is left to people, decided anew, told twice, and told of the provider itself; `placing` has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from attrs import evolve

from routing.placing import (
    LATER,
    MONA,
    WORKSPACE,
    explicit,
    fans_out_over_workspaces,
    generated,
    inferring,
    mapped_by_themselves,
    policies,
    push,
)
from routing.recording import RecordedWorld
from speckitty_connectors import (
    Event,
    IgnoreConditions,
    Proposal,
    ProposedMapping,
    ProposedPolicy,
    Resource,
    ResourceReference,
    Selector,
    Target,
)
from speckitty_connectors.installations import repository as installations
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.mappings.types import Direction
from speckitty_connectors.providers.deliveries import Change
from speckitty_connectors.routing.simulation import simulate
from speckitty_connectors.subscriptions import repository as subscriptions
from speckitty_connectors.subscriptions.types import Webhook
from testbed.inbound import card, change
from testbed.layers import MOMENT


def left_to_people(world: RecordedWorld) -> None:
    """The review queue, ignore rules and dismissals; what was mapped meanwhile; what can't be trusted."""
    here = world.installation("i1")
    world.boards(here, "b1", "b2", "b3")
    world.see(here, Resource(kind="board", id="b4", key="kitchen/b4", archived=True))
    forked = {"git": {"branch": "main", "from_fork": True}}
    bot = {"actor": {"id": "u9", "name": "renovate[bot]"}}
    world.route(card("b1"), card("b2"), card("b1"), card("b3") | forked, card("b4"), card("b5") | bot)
    world.route({"nothing": True, "event": "card", "installation": "p1", "account": {"id": "7"}})
    named = world.installation("i2", account_id="9", provider_installation_id="p1")
    hook = world.hook(named)
    world.route({"nothing": True, "event": "card", "installation": "p1"})
    world.route({"nothing": True, "event": "card", "installation": "p1"}, card("b1", account="9"), at=hook)
    rules = world.review.rules
    rules.add(workspace="w1", conditions=IgnoreConditions(forks=True), actor=MONA, note="forks are not ours")
    rules.add(workspace="w1", conditions=IgnoreConditions(archived=True, provider="fake"), actor=MONA)
    rules.add(workspace="w1", conditions=IgnoreConditions(actor="*[[]bot]", event="card"), actor=MONA)
    rules.add(workspace="w2", conditions=IgnoreConditions(key="*"), actor="member:eve")
    items = {item.subject.id: item.id for item in world.review.list(workspace="w1")}
    world.review.dismiss(workspace="w1", item_id=items["b2"], actor=MONA, reason="a playground")
    world.route(card("b2"), card("b3") | forked, card("b4"), card("b5") | bot, card("b3"), card("b2") | forked)
    world.map(here, "b2", "apollo", id="m1")
    world.route(change("resources_removed", board={"id": "b2"}), card("b2"), card("b2"))
    world.review.snooze(workspace="w1", item_id=items["b1"], actor=MONA, until=MOMENT + timedelta(days=9))
    world.route(card("b1", account="77"), card("b1", account="77"), card("b1", account=""), card("b1"))
    (first,) = world.deliver(card("b3", subject="once"), delivery_id="the same")
    world.route(card("b3", subject="twice"), delivery_id="the same")
    world.route(card("b3", subject="once"), replayable=True)
    assert world.inbound.stored(first).state == "done"
    world.route(card("b1", account="7"), card("b1", account="9"), card("b1", account=""), at=hook)
    world.route(card("b1", account="99"), at=hook)
    gone = evolve(here, id="never there")
    world.route(card("b1"), at=world.hook(gone))


def replaying(world: RecordedWorld) -> None:
    """What waited is decided anew, in order and once: mapped, assigned, ignored by selector, and learnt."""
    here = world.installation("i1")
    world.boards(here, "b1", "b2", "b3", "b4")
    world.report("one", remote_url="https://fake.example/kitchen/b3")
    world.report("two", remote_url="https://fake.example/kitchen/b3")
    world.route(*(push("b1", branch=name) for name in ("main", "next", "main")), push("b2"), push("b3"), push("b4"))
    world.route(push("b1", branch="replayed"), push("b1", branch="main"), replayable=True)
    world.route(push("b1", branch="replayed"), replayable=True)
    items = {item.subject.id: item.id for item in world.review.list(workspace="w1")}
    target = Target(kind="project", id="apollo")

    def tell(what: str, replayed: object) -> None:
        world.say(f"{what}: {replayed}")

    world.clock.advance(60)
    selector = Selector(branches=("main",))
    mapped = world.review.map(workspace="w1", item_id=items["b1"], target=target, actor=MONA, selector=selector)
    tell("mapped", (sorted(mapped.replay.decided.items()), mapped.replay.waiting))
    one = Target(kind="project", id="one")
    assigned = world.review.assign(workspace="w1", item_id=items["b3"], target=one, actor=MONA)
    tell("assigned", (sorted(assigned.replay.decided.items()), assigned.replay.waiting))
    world.report("late", remote_url="https://fake.example/kitchen/b4")
    learnt = world.review.replay(workspace="w1", item_id=items["b4"], actor=MONA)
    tell("learnt", (sorted(learnt.decided.items()), learnt.waiting))
    still = world.review.replay(workspace="w1", item_id=items["b2"], actor=MONA)
    tell("still waiting", (sorted(still.decided.items()), still.waiting))
    world.route(push("b1", branch="main"), push("b2"), push("b4"))


def same_changes(world: RecordedWorld) -> None:
    """Several deliveries that tell of one change: in one batch, later, for other targets, and elsewhere."""
    here, other = world.installation("i1"), world.installation("i2", "w2")
    world.boards(here, "b1", "b2", "b7")
    world.boards(other, "b1")
    world.map(here, "b1", "apollo", id="m1")
    world.map(here, "b2", "apollo", id="m2")
    world.map(here, "b2", "gemini", id="m3")
    world.map(other, "b1", "apollo", id="m4")
    hook = world.hook(here)
    once, twice = {"fingerprint": "change 1"}, {"fingerprint": "change 2"}
    world.route(card("b1", **once), card("b2", **once), card("b1", **once), card("b1", **twice), card("b1"))
    world.route(card("b1", **once), card("b2", **twice), card("b9", **once), at=hook)
    world.report("inferred", remote_url="https://fake.example/kitchen/b7")
    world.route(push("b7") | once, push("b7") | once, push("b7") | {"fingerprint": "change 3"})


def lifecycles(world: RecordedWorld) -> None:
    """Changes on the provider's side among events, which hold for what follows in the same batch."""
    here = world.installation("i1", account_kind="space")
    sibling = world.installation("i2", account_id="8")
    world.boards(here, "b1", "b2", "b3", "b4", "b5", "b6", space="s1")
    world.boards(sibling, "b3")
    for number in range(1, 7):
        world.map(here, f"b{number}", f"p{number}", id=f"m{number}")
    at = {"at": LATER}
    world.clock.advance(7 * 24 * 3600)
    renamed = {"id": "b1", "key": "kitchen/carte"}
    world.route(
        card("b1"),
        change("resource_renamed", board=renamed, former=["kitchen/b1"], **at),
        card("b1") | {"board": renamed},
        change("resources_removed", board={"id": "b2", "key": "kitchen/b2"}, **at),
        card("b2"),
        {"event": "ping"},
        change("resource_transferred", "8", board={"id": "b3", "key": "kitchen/b3"}, **at),
        card("b3"),
        card("b3", "8"),
        {"event": "gossip"},
        change("resource_archived", board={"id": "b4", "key": "kitchen/b4"}, **at),
        card("b4"),
        change("resource_rekeyed", board={"id": "b50", "key": "kitchen/b5"}, former=["b5"], **at),
        card("b50"),
        card("b5"),
        change("suspended", **at),
        card("b1"),
        card("b6"),
        change("resumed", at=(MOMENT + timedelta(days=3)).isoformat()),
        card("b6"),
        change("account_renamed", account_name="Eight") | {"account": {"id": "8", "name": "Eight"}},
        change("suspended", "unheard of"),
        change("uninstalled", "8", at=LATER),
        card("b3", "8"),
        change("link_revoked", identities=[{"id": "u1"}]) | {"account": None},
    )
    world.route(
        change("account_deleted", at=(MOMENT + timedelta(days=4)).isoformat()),
        card("b1"),
        change("installed", "8", board={"id": "b3", "key": "kitchen/b3"}, at=LATER),
        card("b3", "8"),
    )
    hook = world.hook(sibling)
    world.route(change("suspended", "7"), change("hook_removed", "8"), change("visibility_changed", ""), at=hook)
    for known in Change:
        world.route(change(known, "9", board={"id": "z", "key": "z"}, identities=[{"id": "u2"}]))


def found_by_label(world: RecordedWorld) -> None:
    """Accounts known by address, boards known by key, and deliveries that name their webhooks."""
    kitchen = "https://kitchen.example"
    here = world.installation("i1", account_url=kitchen)
    other = world.installation("i2", "w2", account_url=kitchen)
    third = world.installation("i3", "w3", account_url="https://other.example", account_id="8")
    world.see(
        here,
        Resource(kind="board", id="b1", key="menu"),
        Resource(kind="board", id="b2", key="twice"),
        Resource(kind="board", id="b3", key="twice"),
        Resource(kind="board", id="b4", key="former"),
    )
    world.see(here, Resource(kind="board", id="b4", key="today"), at=MOMENT + timedelta(days=1))
    for number in range(1, 5):
        world.map(here, f"b{number}", f"p{number}", id=f"m{number}")
    by_url = {"account": {"id": "", "url": kitchen}}
    world.route(
        card("b1") | by_url,
        *(
            card() | by_url | {"board": {"id": "", "key": key}}
            for key in ("menu", "twice", "today", "former", "no")
        ),
        card() | {"account": {"id": "", "url": "https://stranger.example", "name": "Stranger"}},
        card() | {"installation": "p9", "account": None},
    )
    world.route(card() | by_url, card() | {"account": {"id": "", "url": "https://o.example"}}, at=world.hook(here))
    for number, (installation, registration) in enumerate(((here, "11"), (other, "12"), (third, "")), start=1):
        webhook = Webhook(
            workspace=installation.workspace,
            id=f"h{number}",
            installation_id=installation.id,
            endpoint_id="e1",
            scope="resources",
            covers="digest",
            registration=registration,
            due_at=MOMENT,
            created_at=MOMENT,
        )
        with world.store.transaction() as connection:
            subscriptions.add(connection, webhook)
    named: Sequence[list[str]] = (["11"], ["12"], ["11", "12"], ["99"], [])
    world.route(*(card("b1", registrations=each) for each in named), card("b1", "8", registrations=["99"]))


def unstorable(world: RecordedWorld) -> None:
    """Whatever a provider puts into names and ids, it ends in one decision that can be stored."""
    here = world.installation("i1")
    world.boards(here, "b1")
    world.report("apollo", remote_url="https://fake.example/kitchen/b1")
    world.route(
        {**card(), "board": {"id": "b\x00", "key": "kitchen/\x00"}},
        {**card(), "board": {"id": "b" * 300, "key": "k" * 300}},
        {**card(), "board": {"id": "b2", "key": "' OR 1=1 --"}, "git": {"branch": "%", "commits": ["%"]}},
        {**card(), "board": {"id": "b3", "key": "kitchen/b1\u202e"}, "git": {"branch": "a" * 400}},
        card("b1", subject="\x00", actor={"id": "\x00", "name": "é" * 300}),
        {"event": 5},
    )


def simulating(world: RecordedWorld) -> None:
    """What would become of events under other mappings and policies."""
    here = world.installation("i1")
    world.see(here, Resource(kind="space", id="s1", key="kitchen"))
    world.boards(here, "b1", "b2", "b3", space="s1")
    world.map(here, "b1", "apollo", id="m1")
    world.map(here, "b3", "apollo", id="m2", selector=Selector(kinds=("push",)))
    world.report("gemini", remote_url="https://fake.example/kitchen/b1")
    world.report("two", remote_url="https://fake.example/kitchen/b2")
    world.report("too", remote_url="https://fake.example/kitchen/b2")
    once = {"fingerprint": "change 1"}
    ids = world.route(card("b1") | once, card("b2"), push("b3"), card("b9"))
    world.review.rules.add(workspace="w1", conditions=IgnoreConditions(key="kitchen/b9"), actor=MONA)
    space = ResourceReference(kind="space", id="s1")
    board = ResourceReference(kind="board", id="b9", key="kitchen/b9")
    gemini = Target(kind="project", id="gemini")

    def added(resource: ResourceReference, **values: object) -> ProposedMapping:
        return ProposedMapping(installation_id="i1", resource=resource, target=gemini, **values)  # type: ignore[arg-type]  # the scenario's

    muted = ProposedPolicy(scope=evolve(WORKSPACE, project_id="apollo"), fields={"muted_kinds": ["card"]})
    proposals = {
        "nothing": Proposal(),
        "without m1": Proposal(remove=("m1",)),
        "the space": Proposal(add=(added(space),)),
        "the space instead": Proposal(add=(added(space),), remove=("m1", "m2")),
        "the unlisted board": Proposal(add=(added(board),)),
        "outwards": Proposal(add=(added(board, direction=Direction.OUT),)),
        "muted": Proposal(policies=(muted,)),
        "muted and removed": Proposal(policies=(muted,), remove=("m1",)),
    }
    for name, proposal in proposals.items():
        for number, event_id in enumerate(ids):
            for simulated in simulate(
                world.store, world.inbound.registry, workspace="w1", event_id=event_id, proposal=proposal
            ):
                world.say(f"{name}, event {number}", *simulated.lines())
        given = Event(kind="card", resources=(ResourceReference(kind="board", id="b1", key="kitchen/b1-new"),))
        (simulated,) = simulate(
            world.store,
            world.inbound.registry,
            workspace="w1",
            event=given,
            installation_id="i1",
            proposal=proposal,
        )
        world.say(f"{name}, a given event", *simulated.lines())
    with world.store.transaction() as connection:
        installations.set_status(connection, here, status=InstallationStatus.SUSPENDED, at=MOMENT)
    (simulated,) = simulate(world.store, world.inbound.registry, workspace="w1", event_id=ids[0])
    world.say("suspended", *simulated.lines())


Scenario = Callable[[RecordedWorld], None]

SCENARIOS: Mapping[str, Scenario] = {
    each.__name__: each
    for each in (
        explicit,
        fans_out_over_workspaces,
        inferring,
        mapped_by_themselves,
        policies,
        left_to_people,
        replaying,
        same_changes,
        lifecycles,
        found_by_label,
        unstorable,
        simulating,
        generated,
    )
}

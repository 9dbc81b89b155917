"""Worlds whose decisions are recorded: what mappings, git evidence and policies place."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

from attrs import evolve

from routing.recording import RecordedWorld
from speckitty_connectors import (
    IgnoreConditions,
    PolicyScope,
    Resource,
    Selector,
)
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import Direction, MappingState
from speckitty_connectors.suggestions.decisions import turn_down
from testbed.inbound import card
from testbed.layers import MOMENT
from testbed.world import Place, World

MONA = "member:mona"
SHA, OTHER_SHA, THIRD_SHA = "ab" * 20, "cd" * 20, "ef" * 20
MISSION = "kitty/mission-search-01KQ3XYZ"
WORKSPACE = PolicyScope(workspace="w1", provider="fake")
LATER = (MOMENT + timedelta(days=2)).isoformat()


def push(board: str = "b1", account: str = "7", **git: object) -> dict[str, object]:
    """Return the document of an event on a board with git facts."""
    return card(board, account, event="push", git=git)


def explicit(world: RecordedWorld) -> None:
    """What people mapped: selectors, levels, directions and states, told in one batch."""
    here = world.installation("i1")
    world.see(
        here,
        Resource(kind="space", id="s0", key="company"),
        Resource(kind="space", id="s1", key="kitchen", parent_id="s0"),
        Resource(kind="space", id="s2", key="round", parent_id="s3"),
        Resource(kind="space", id="s3", key="trip", parent_id="s2"),
        Resource(kind="board", id="c1", key="trip/c1", parent_id="s2"),
        Resource(kind="board", id="c2", key="lost/c2", parent_id="nowhere"),
    )
    world.boards(here, *(f"b{number}" for number in range(1, 13)), space="s1")
    numbers = iter(range(1, 100))

    def map_(board: str, target: str, kind: str = "board", **values: Any) -> None:
        world.map(here, board, target, kind, id=f"m{next(numbers):02}", **values)

    map_("b1", "apollo")
    map_("b1", "gemini")
    map_("b1", "news", target_kind="feed")
    map_("b2", "apollo", selector=Selector(kinds=("issue", "card.moved")))
    map_("b3", "apollo", selector=Selector(branches=("main", "release/*")))
    map_("b3", "gemini", selector=Selector(paths=("services/*/api", "**/*.sql")))
    map_("b4", "apollo", state=MappingState.PAUSED, state_reason="a holiday")
    map_("b4", "gemini", state=MappingState.ORPHANED, state_reason="the resource is missing")
    map_("b5", "apollo", state=MappingState.ORPHANED, state_reason="the resource is missing")
    map_("b6", "apollo", direction=Direction.OUT)
    map_("b7", "apollo", direction=Direction.IN, state=MappingState.DEGRADED)
    map_("s1", "all", "space")
    map_("s1", "alerts", "space", target_kind="incident_stream", selector=Selector(kinds=("alert",)))
    map_("s0", "company", "space")
    map_("s3", "traveller", "space")
    map_("c1", "walker", direction=Direction.OUT)
    space = {"space": {"id": "s1", "key": "kitchen"}}
    world.route(
        card("b1"),
        card("b2"),
        card("b2", action="moved"),
        card("b2", event="issue"),
        push("b3", branch="main"),
        push("b3", branch="release/2", paths=["services/billing/api/a.py", "README"]),
        push("b3", branch="next", paths=["db/old/x.sql"]),
        push("b3", branch="main", from_fork=True),
        push("b3", branch="next", paths=["README"], truncated=True),
        push("b3"),
        card("b3"),
        card("b4"),
        card("b5"),
        card("b6"),
        card("b7"),
        card("b8"),
        card("b8", event="alert"),
        card("b1") | space,
        {"event": "card", "account": {"id": "7"}, **space},
        card("c1"),
        card("c2"),
        card("b99"),
        {"event": "card", "account": {"id": "7"}, "board": {"id": "b1", "key": ""}},
        card("b1", actor={"id": "u1", "name": "octocat"}, subject="#12", at=LATER),
    )


def fans_out_over_workspaces(world: RecordedWorld) -> None:
    """One account that several workspaces connected, each with mappings and policies of its own."""
    for number in (1, 2, 3):
        here = world.installation(f"i{number}", f"w{number}")
        world.boards(here, "b1", "b2")
        if number != 3:
            world.map(here, "b1", f"apollo-{number}", id=f"m{number}")
    world.installation("i4", "w4", app_id="another app")
    world.installation("i5", "w5", status=InstallationStatus.SUSPENDED)
    world.installation("i6", "w6", status=InstallationStatus.REMOVED)
    world.installation("i7", "w7", status=InstallationStatus.ORPHANED)
    world.installation("i8", "w8", status=InstallationStatus.NEEDS_REAUTHORISATION)
    world.installation("i9", "w9", status=InstallationStatus.PENDING_APPROVAL)
    world.policies.set(evolve(WORKSPACE, workspace="w2"), fields={"muted_kinds": ["card"]}, actor=MONA)
    world.route(card("b1"), card("b2"), card("b1", event="issue"), push("b2", branch="main"))
    own = world.inbound.endpoint(workspace="w2", app_id="app")
    world.endpoints[own.id] = "the app's of w2"
    world.route(card("b1"), card("b2"), at=own)


def inferring(world: RecordedWorld) -> None:
    """Git evidence, strong, weak, doubtful, contradicting and dismissed."""
    here = world.installation("i1", created_at=MOMENT)
    world.boards(here, *(f"b{number}" for number in range(1, 9)))
    there = world.installation("i2", account_id="8", host="other.example")
    world.see(there, Resource(kind="board", id="x1", key="kitchen/b2"))
    later = MOMENT + timedelta(days=9)
    world.see(here, Resource(kind="board", id="b6", key="kitchen/old"), at=later)
    world.see(here, Resource(kind="board", id="b9", key="Kitchen/B6"), at=later)
    world.see(here, Resource(kind="board", id="b7", key="kitchen/renamed"), at=later)
    world.see(here, Resource(kind="board", id="new", key="kitchen/new"), at=later)
    remote = "git@fake.example:kitchen/{}.git"
    world.report("apollo", remote_url=remote.format("b1"), commits=(SHA,))
    world.report("hostless", repo_slug="kitchen/b2", commits=(OTHER_SHA,), branches=("main", "topic"))
    world.report("one", remote_url=remote.format("b3"))
    world.report("two", remote_url=remote.format("b3"), branches=(MISSION,))
    world.report("three", repo_slug="kitchen/b3", feature_slugs=("001-setup",))
    world.report("fork", remote_url=remote.format("mine"), commits=(THIRD_SHA, SHA))
    world.report("reused", remote_url=remote.format("b6"), commits=(OTHER_SHA,))
    world.report("renamed", remote_url=remote.format("b7"), commits=("12" * 20,))
    world.report("early", remote_url=remote.format("new"), commits=("34" * 20,))
    world.report("bare", commits=("56" * 20,), branches=("kitty/mission-bare-01KQ3XYA",))
    world.report("elsewhere", remote_url="git@other.example:kitchen/b8.git", repo_slug="kitchen/b8")
    world.report("dismissed", remote_url=remote.format("b5"))
    world.report("theirs", "w2", remote_url=remote.format("b4"))
    world.route(push("b5", branch="main"))
    (raised,) = world.suggestions.list(workspace="w1")
    world.suggestions.dismiss(workspace="w1", suggestion_id=raised.id, actor=MONA)
    world.route(
        push("b1", branch="main", commits=[SHA, THIRD_SHA]),
        push("b1", branch="main"),
        push("b2", branch="main"),
        push("b2", commits=[THIRD_SHA, OTHER_SHA]),
        push("b2", branch="topic", commits=[OTHER_SHA], from_fork=True),
        push("b2", branch="topic"),
        push("b3", branch="main"),
        push("b3", branch=f"{MISSION}-lane-a"),
        push("b3", branch="kitty/mission-001-setup"),
        push("b4", commits=[THIRD_SHA]),
        push("b4", branch="main", commits=["ff" * 20]),
        push("b5", branch="main"),
        push("b8", branch="main"),
        push("unlisted", commits=["56" * 20], branch="kitty/mission-bare-01KQ3XYA"),
        push("unlisted", commits=["56" * 20]),
    )
    world.route(
        {**push(commits=[OTHER_SHA]), "board": {"id": "b6", "key": "kitchen/old"}},
        {**push(branch="main"), "board": {"id": "b9", "key": "Kitchen/B6"}},
        {**push(branch="main"), "board": {"id": "b7", "key": "kitchen/renamed"}},
        {**push(commits=["12" * 20]), "board": {"id": "b7", "key": "kitchen/renamed"}},
        {**push(branch="main"), "board": {"id": "new", "key": "kitchen/new"}},
        {**push(commits=["34" * 20]), "board": {"id": "new", "key": "kitchen/new"}, "at": LATER},
        {**push(branch="main"), "board": {"id": "b1", "key": ""}},
        {"event": "push", "account": {"id": "7"}, "space": {"id": "s1", "key": "kitchen/b1"}},
        {**push(branch="main"), "board": {"id": "b1", "key": "kitchen/called-otherwise"}},
        {**push(branch="main"), "board": {"id": "b1", "key": "kitchen/called-again"}, "at": LATER},
        push("b2", commits=[OTHER_SHA]),
    )
    mapping = world.map(here, "b4", "four", id="m4")
    world.report("four", remote_url=remote.format("b4"))
    Mappings(world.store, when_removed=turn_down).remove(workspace="w1", mapping_id=mapping.id, actor=MONA)
    world.route(push("b4", branch="main"))


def mapped_by_themselves(world: RecordedWorld) -> None:
    """A workspace that opted in gets mappings with its events; the batch that makes one doesn't use it yet."""
    here = world.installation("i1")
    world.boards(here, "b1", "b2", "b3")
    world.suggestions.set_automatic(workspace="w1", automatic=True, actor=MONA)
    world.report("apollo", remote_url="https://fake.example/kitchen/b1")
    world.report("gemini", repo_slug="kitchen/b2", commits=(SHA,))
    world.report("mercury", remote_url="https://fake.example/kitchen/unlisted")
    world.report("silent", remote_url="https://fake.example/kitchen/b3")
    world.policies.set(evolve(WORKSPACE, project_id="silent"), fields={"muted_kinds": ["push"]}, actor=MONA)
    again = (push("b1", branch="main"), push("b1", branch="next"), push("b2", commits=[SHA]), push("b3"))
    world.route(*again, push("unlisted"), push("unlisted", branch="main"))
    world.route(*again, push("unlisted"))


def policies(world: RecordedWorld) -> None:
    """Muted by a project, an installation, the workspace and a lock; kept with what it was then."""
    here, other = world.installation("i1"), world.installation("i2", account_id="8")
    world.boards(here, "b1", "b2", "b3", "b4")
    world.boards(other, "b1")
    world.map(here, "b1", "apollo", id="m1")
    world.map(here, "b1", "gemini", id="m2")
    world.map(here, "b2", "apollo", target_kind="feed", id="m3")
    world.map(here, "b3", "apollo", id="m4")
    world.map(other, "b1", "apollo", id="m5")
    world.report("inferred", remote_url="https://fake.example/kitchen/b4")
    muted = {"muted_kinds": ["card", "issue.closed"]}
    world.policies.set(evolve(WORKSPACE, project_id="apollo"), fields={**muted, "labels": ["a"]}, actor=MONA)
    world.policies.set(WORKSPACE, fields={"digest_hours": 12}, actor=MONA)
    world.policies.lock(WORKSPACE, fields=["digest_hours"], actor=MONA)
    world.policies.set(evolve(WORKSPACE, project_id="inferred"), fields={"muted_kinds": ["push"]}, actor=MONA)
    documents = [card(board, event=kind) for board in ("b1", "b2", "b3") for kind in ("card", "issue")]
    documents += [card("b3", event="issue", action="closed"), card("b1", account="8"), push("b4")]
    world.route(*documents)
    world.policies.set(evolve(WORKSPACE, installation_id="i1"), fields={"muted_kinds": ["card"]}, actor=MONA)
    world.route(*documents)


def generated(world: RecordedWorld) -> None:
    """A generated world with everything that misleads git evidence, and mappings, rules and policies at random."""
    made, drawn = World(world.store, workspaces=6, situations=8), Random(11)
    made.plant()
    for place in made.places:
        _people(world, place, drawn)
    documents = []
    for place in made.places:
        hook = world.hook(place.here)
        world.endpoints[hook.id] = f"the hook of {place.name}"
        documents += [(hook, happening) for happening in place.happenings]
    drawn.shuffle(documents)
    for number, (hook, happening) in enumerate(documents):
        told = {"id": happening.resource.id, "key": happening.resource.key}
        facts = {"branch": happening.git.branch, "commits": list(happening.git.commits)}
        git = {**facts, "from_fork": happening.git.from_fork}
        kind = drawn.choice(["push", "card", "issue"])
        repeated = {"fingerprint": f"change {number // 3}"} if drawn.random() < 0.3 else {}
        world.deliver(card("", event=kind, git=git) | {"board": told} | repeated, at=hook)
    world.route()


def _people(world: RecordedWorld, place: Place, drawn: Random) -> None:
    """Map, mute and ignore at random."""
    seen = sorted({resource.id for installation, resource, _ in place.seen if installation is place.here})
    for number, board in enumerate(drawn.sample(seen, len(seen) // 3)):
        values: dict[str, Any] = {
            "state": drawn.choice(list(MappingState)),
            "direction": drawn.choice(list(Direction)),
            "selector": drawn.choice([Selector(), Selector(kinds=("push",)), Selector(branches=("main",))]),
        }
        world.map(place.here, board, f"{place.name}-m{number}", id=f"{place.name}-{number}", **values)
    workspace = evolve(WORKSPACE, workspace=place.name)
    if drawn.random() < 0.5:
        world.policies.set(workspace, fields={"muted_kinds": ["issue"]}, actor=MONA)
    for project in sorted({signal.project_id for signal in place.signals})[:2]:
        scope = evolve(workspace, project_id=project)
        world.policies.set(scope, fields={"muted_kinds": ["card"]}, actor=MONA)
    conditions = drawn.choice([IgnoreConditions(forks=True), IgnoreConditions(event="issue")])
    world.review.rules.add(workspace=place.name, conditions=conditions, actor=MONA)
    world.suggestions.set_automatic(workspace=place.name, automatic=drawn.random() < 0.3, actor=MONA)

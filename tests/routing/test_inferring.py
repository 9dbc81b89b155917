"""Git inference on its way through the router: between explicit mappings and the review queue."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from speckitty_connectors import Resource, Signal, Target
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import MappingOrigin
from speckitty_connectors.routing import explanation
from speckitty_connectors.routing.types import Decision, Stage
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store.engine import Store
from speckitty_connectors.suggestions.decisions import turn_down
from speckitty_connectors.suggestions.service import Suggestions
from speckitty_connectors.suggestions.types import SuggestionState
from testbed.inbound import Inbound, card
from testbed.layers import MOMENT, add_installation, add_resources

REMOTE = "https://mona:hunter2@fake.example/kitchen/b1.git"
SHA, OTHER_SHA = "ab" * 20, "cd" * 20
MISSION_BRANCH = "kitty/mission-search-01KQ3XYZ"


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees the board ``kitchen/b1``."""
    made = add_installation(store)
    add_resources(store, made, Resource(kind="board", id="b1", key="kitchen/b1"))
    return made


@pytest.fixture
def inbound(store: Store, installation: Installation) -> Inbound:
    """An inbox and a router with every stage."""
    return Inbound.on(store)


@pytest.fixture
def suggestions(store: Store, inbound: Inbound) -> Suggestions:
    """What the router's inferences are raised in."""
    return Suggestions(store, inbound.registry, Mappings(store))


def report(store: Store, project: str, workspace: str = "w1", **values: object) -> None:
    """Let a project report one signal."""
    signal = Signal(project_id=project, observed_at=MOMENT, **values)  # type: ignore[arg-type]  # the test's
    Signals(store).report(workspace=workspace, signals=[signal])


def routed(inbound: Inbound, document: dict[str, object] | None = None, **git: object) -> Decision:
    """Deliver an event of the board, route it, and return the decision."""
    told = document or card(git={"branch": "main", **git})
    event_id = inbound.deliver(inbound.endpoint(), told)
    while inbound.router().route_due():
        pass
    return inbound.decision(event_id)


def reached(decision: Decision) -> tuple[str, str, list[str]]:
    return decision.stage.value, decision.rule, [str(target.target) for target in decision.targets]


def test_a_remote_places_an_event_that_nothing_is_mapped_for(
    store: Store, inbound: Inbound, suggestions: Suggestions
) -> None:
    """The decision stores rule and evidence, writes no mapping, and raises a suggestion."""
    report(store, "apollo", remote_url=REMOTE)
    decision = routed(inbound)
    assert reached(decision) == ("inferred", "remote", ["project:apollo"])
    assert decision.targets[0].mapping_id == ""
    assert [evidence.text for evidence in decision.evidence] == ["a git remote of apollo is kitchen/b1"]
    assert Mappings(store).list(workspace="w1") == ()
    (raised,) = suggestions.list(workspace="w1")
    assert (str(raised.target), raised.confidence.value, raised.source.value) == ("project:apollo", "high", "event")


def test_the_explanation_tells_what_was_inferred(store: Store, inbound: Inbound) -> None:
    """Afterwards everybody can read why the event went where it went, without any credential."""
    report(store, "apollo", remote_url=REMOTE)
    decision = routed(inbound)
    with store.reading() as connection:
        lines = explanation.explain(connection, workspace="w1", event_id=decision.event_id).lines()
    assert any("inferred by rule remote" in line for line in lines)
    assert "  for: a git remote of apollo is kitchen/b1" in lines
    assert "hunter2" not in json.dumps(lines)


def test_an_explicit_mapping_wins(store: Store, inbound: Inbound, installation: Installation) -> None:
    """What a person mapped is never asked about again, not even where it is paused."""
    report(store, "apollo", remote_url=REMOTE)
    mapping = inbound.map(installation, "b1", "gemini")
    assert reached(routed(inbound)) == ("explicit", "mapping", ["project:gemini"])
    Mappings(store).pause(workspace="w1", mapping_id=mapping.id, actor="member:mona")
    assert reached(routed(inbound)) == ("ignored", "mapping_paused", [])


def test_a_batch_is_split_between_the_stages(store: Store, inbound: Inbound, installation: Installation) -> None:
    """Of events that are routed together each gets its own stage, and they are decided in their order."""
    add_resources(store, installation, *(Resource(kind="board", id=f"b{n}", key=f"kitchen/b{n}") for n in (2, 3)))
    inbound.map(installation, "b2", "gemini")
    report(store, "apollo", remote_url=REMOTE)
    endpoint = inbound.endpoint()
    events = [inbound.deliver(endpoint, card(board)) for board in ("b1", "b2", "b3", "b1")]
    assert inbound.router().route_due() == 4
    stages = [inbound.decision(event).stage.value for event in events]
    assert stages == ["inferred", "explicit", "review", "inferred"]


def test_what_is_dismissed_is_not_inferred(store: Store, inbound: Inbound, suggestions: Suggestions) -> None:
    """A person's no for that pair holds until something new speaks for it, however strong the evidence is."""
    report(store, "apollo", remote_url=REMOTE)
    routed(inbound)
    (raised,) = suggestions.list(workspace="w1")
    suggestions.dismiss(workspace="w1", suggestion_id=raised.id, actor="member:mona")
    decision = routed(inbound)
    assert reached(decision) == ("review", "low_confidence", [])
    assert any(evidence.rule == "dismissed" for evidence in decision.evidence)
    assert suggestions.list(workspace="w1") == ()


def test_a_mapping_that_a_person_removed_is_not_inferred(
    store: Store, inbound: Inbound, installation: Installation
) -> None:
    """Who removes a mapping doesn't want the same events back by inference."""
    report(store, "apollo", remote_url=REMOTE)
    mapping = inbound.map(installation, "b1", "apollo")
    mappings = Mappings(store, when_removed=turn_down)
    mappings.remove(workspace="w1", mapping_id=mapping.id, actor="member:mona")
    assert routed(inbound).stage is Stage.REVIEW


def test_an_abstention_gives_its_candidates_to_the_review_queue(store: Store, inbound: Inbound) -> None:
    """Two projects in one repository are both offered, with the evidence of each; nothing is dispatched."""
    for project in ("apollo", "gemini"):
        report(store, project, remote_url=REMOTE)
    assert reached(routed(inbound)) == ("review", "ambiguous", [])
    (item,) = inbound.review_items()
    assert item.subject.id == "b1"
    assert [str(each.target) for each in item.candidates] == ["project:apollo", "project:gemini"]
    assert all(each.evidence for each in item.candidates)


def test_the_mission_of_a_branch_tells_projects_of_one_repository_apart(store: Store, inbound: Inbound) -> None:
    """Only one of them has that mission, and its slug has part of a ULID."""
    report(store, "apollo", remote_url=REMOTE)
    report(store, "gemini", remote_url=REMOTE, branches=(MISSION_BRANCH,))
    assert reached(routed(inbound, branch=f"{MISSION_BRANCH}-lane-a"))[1:] == ("feature", ["project:gemini"])


def test_a_numbered_mission_tells_nothing_apart(store: Store, inbound: Inbound) -> None:
    """``001-setup`` may be anybody's first mission."""
    report(store, "apollo", remote_url=REMOTE)
    report(store, "gemini", remote_url=REMOTE, feature_slugs=("001-setup",))
    assert routed(inbound, branch="kitty/mission-001-setup").rule == "ambiguous"


def test_a_slug_decides_only_with_a_commit(store: Store, inbound: Inbound) -> None:
    """Without a host the name alone is too little; a commit of the event that was seen there makes it enough."""
    report(store, "apollo", repo_slug="kitchen/b1", commits=(SHA,))
    assert reached(routed(inbound, commits=[OTHER_SHA])) == ("review", "low_confidence", [])
    assert reached(routed(inbound, commits=[OTHER_SHA, SHA])) == ("inferred", "commit", ["project:apollo"])


def test_the_commits_and_the_branch_of_a_fork_are_no_evidence(store: Store, inbound: Inbound) -> None:
    """What a stranger pushes to a fork of theirs says nothing of whose the repository is."""
    report(store, "apollo", repo_slug="kitchen/b1", commits=(SHA,), branches=(MISSION_BRANCH,))
    decision = routed(inbound, commits=[SHA], branch=MISSION_BRANCH, from_fork=True)
    assert reached(decision) == ("review", "low_confidence", [])


def test_commits_that_a_fork_shares_place_nothing(store: Store, inbound: Inbound) -> None:
    """The fork's project has the commits, and is known by the fork: it is told as lost, and offered to nobody."""
    report(store, "fork", remote_url="git@fake.example:mona/b1.git", commits=(SHA,))
    decision = routed(inbound, commits=[SHA])
    assert reached(decision) == ("review", "low_confidence", [])
    assert any(evidence.rule == "elsewhere" for evidence in decision.evidence)
    assert inbound.review_items()[0].candidates == ()
    report(store, "apollo", remote_url=REMOTE)
    assert reached(routed(inbound, commits=[SHA]))[1:] == ("remote", ["project:apollo"])


def test_a_name_that_another_repository_took_over_decides_nothing(
    store: Store, inbound: Inbound, installation: Installation
) -> None:
    """A checkout's remote may still mean the one that bore the name before, whichever of the two an event is of."""
    report(store, "apollo", remote_url=REMOTE, commits=(SHA,))
    later = MOMENT + timedelta(days=3)
    add_resources(store, installation, Resource(kind="board", id="b1", key="kitchen/old"), at=later)
    add_resources(store, installation, Resource(kind="board", id="b2", key="Kitchen/B1"), at=later)
    for board, key in (("b2", "Kitchen/B1"), ("b1", "kitchen/old")):
        decision = routed(inbound, {**card(), "board": {"id": board, "key": key}})
        assert reached(decision) == ("review", "low_confidence", [])
        assert any(evidence.rule == "reused_name" for evidence in decision.evidence)


def test_a_name_that_came_later_needs_more_than_an_old_remote(
    store: Store, inbound: Inbound, installation: Installation
) -> None:
    """A project that named the repository before it bore that name may mean one that we have never seen."""
    report(store, "apollo", remote_url="git@fake.example:kitchen/new.git")
    later = MOMENT + timedelta(days=9)
    add_resources(store, installation, Resource(kind="board", id="b9", key="kitchen/new"), at=later)
    document = {**card(), "board": {"id": "b9", "key": "kitchen/new"}}
    decision = routed(inbound, document)
    assert (decision.rule, decision.evidence[-1].rule) == ("low_confidence", "named_before")
    report(store, "apollo", commits=(SHA,))
    assert routed(inbound, {**document, "git": {"commits": [SHA]}}).rule == "commit"


def test_a_renamed_repository_is_recognised_with_a_commit(
    store: Store, inbound: Inbound, installation: Installation
) -> None:
    """Checkouts name it as before; the former name is known, and one of its commits confirms it."""
    report(store, "apollo", remote_url=REMOTE, commits=(SHA,))
    later = MOMENT + timedelta(days=9)
    add_resources(store, installation, Resource(kind="board", id="b1", key="kitchen/renamed"), at=later)
    document = {**card(), "board": {"id": "b1", "key": "kitchen/renamed"}}
    assert routed(inbound, document).rule == "low_confidence"
    assert reached(routed(inbound, {**document, "git": {"commits": [SHA]}}))[1:] == ("commit", ["project:apollo"])


def test_a_repository_that_no_listing_has_shown_is_noted_with_its_suggestion(
    store: Store, inbound: Inbound, suggestions: Suggestions
) -> None:
    """A verified delivery says that it is there, so that a person can confirm what was inferred of it."""
    report(store, "apollo", repo_slug="kitchen/b7", commits=(SHA,))
    document = {**card("b7"), "git": {"commits": [SHA]}}
    assert reached(routed(inbound, document)) == ("inferred", "commit", ["project:apollo"])
    (raised,) = suggestions.list(workspace="w1")
    suggestions.confirm(workspace="w1", suggestion_id=raised.id, actor="member:mona")
    assert reached(routed(inbound, document)) == ("explicit", "mapping", ["project:apollo"])


def test_a_look_at_the_inventory_keeps_what_an_event_has_shown(
    store: Store, inbound: Inbound, suggestions: Suggestions, installation: Installation
) -> None:
    """The inventory knows nothing of commits; what was inferred from one stays suggested as it was."""
    report(store, "apollo", repo_slug="kitchen/b1", commits=(SHA,))
    routed(inbound, commits=[SHA])
    before = suggestions.list(workspace="w1")
    suggestions.refresh(workspace="w1", installation_id=installation.id)
    assert [each.confidence.value for each in before] == ["medium"]
    assert suggestions.list(workspace="w1") == before


def test_repeated_inferences_raise_one_suggestion(store: Store, inbound: Inbound, suggestions: Suggestions) -> None:
    """A hundred pushes are one suggestion, and none of them is news."""
    report(store, "apollo", remote_url=REMOTE, commits=(SHA,))
    routed(inbound, commits=[SHA])
    first = suggestions.list(workspace="w1")
    for _ in range(3):
        routed(inbound, commits=[SHA])
    assert suggestions.list(workspace="w1") == first


def test_a_workspace_that_opted_in_gets_the_mapping_with_the_event(
    store: Store, inbound: Inbound, suggestions: Suggestions
) -> None:
    """The inferred decision names the mapping that it made; the next event finds it."""
    suggestions.set_automatic(workspace="w1", automatic=True, actor="member:mona")
    report(store, "apollo", remote_url=REMOTE)
    decision = routed(inbound)
    (mapping,) = Mappings(store).list(workspace="w1")
    assert (mapping.origin, mapping.created_by) == (MappingOrigin.AUTOMATIC, "system")
    assert (decision.stage, decision.targets[0].mapping_id) == (Stage.INFERRED, mapping.id)
    assert suggestions.list(workspace="w1", state=SuggestionState.CONFIRMED)[0].mapping_id == mapping.id
    assert routed(inbound).stage is Stage.EXPLICIT


def test_what_is_less_sure_is_not_mapped_even_there(
    store: Store, inbound: Inbound, suggestions: Suggestions
) -> None:
    """The opt-in is for high confidence; two weak kinds of evidence route an event, and ask a person."""
    suggestions.set_automatic(workspace="w1", automatic=True, actor="member:mona")
    report(store, "apollo", repo_slug="kitchen/b1", commits=(SHA,))
    assert routed(inbound, commits=[SHA]).stage is Stage.INFERRED
    assert Mappings(store).list(workspace="w1") == ()


def test_signals_of_another_workspace_say_nothing_here(store: Store, inbound: Inbound) -> None:
    """Two workspaces connected the same account; each is told by its own projects alone."""
    other = add_installation(store, "w2")
    add_resources(store, other, Resource(kind="board", id="b1", key="kitchen/b1"))
    report(store, "theirs", "w2", remote_url=REMOTE, commits=(SHA,))
    event_id = inbound.deliver(inbound.endpoint(), card(git={"commits": [SHA]}))
    assert inbound.router().route_due() == 1
    assert inbound.decision(event_id, "w1").rule == "no_mapping"
    assert reached(inbound.decision(event_id, "w2"))[1:] == ("remote", ["project:theirs"])


@pytest.mark.parametrize(
    "document",
    [
        {"event": "card", "account": {"id": "7"}, "space": {"id": "s1", "key": "kitchen/b1"}},
        {"event": "card", "account": {"id": "7"}, "board": {"id": "b1", "key": ""}},
    ],
)
def test_what_is_no_repository_or_has_no_name_is_not_inferred(
    store: Store, inbound: Inbound, document: dict[str, object]
) -> None:
    """Git evidence says something of git repositories only, and one without a name is found by its stored one."""
    report(store, "apollo", remote_url=REMOTE)
    decision = routed(inbound, document)
    expected = ("inferred", "remote") if "board" in document else ("review", "no_mapping")
    assert (decision.stage.value, decision.rule) == expected


@pytest.mark.parametrize(
    "name", ["' OR 1=1 --", "kitchen/(a+)+$", "kitchen/b1\u202e", "%", "a" * 255, "kitchen/" + "é" * 90]
)
def test_hostile_names_match_nothing(store: Store, inbound: Inbound, name: str) -> None:
    """Names are compared, never interpreted, and whatever they hold, the event ends in one decision."""
    report(store, "apollo", remote_url=REMOTE, branches=("main",))
    document = {**card(), "board": {"id": new_id(), "key": name}, "git": {"branch": name, "commits": [name]}}
    assert reached(routed(inbound, document)) == ("review", "no_mapping", [])


def test_the_same_event_is_inferred_in_the_same_words(store: Store, inbound: Inbound) -> None:
    """Two deliveries that say the same, routed on the same knowledge, are decided alike."""
    report(store, "apollo", remote_url=REMOTE)
    report(store, "fork", remote_url="git@fake.example:mona/b1.git", commits=(SHA,))
    first, second = (routed(inbound, commits=[SHA]) for _ in range(2))
    assert (first.rule, first.targets, first.evidence) == (second.rule, second.targets, second.evidence)
    assert first.targets[0].target == Target(kind="project", id="apollo")

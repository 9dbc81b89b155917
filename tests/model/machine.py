"""The machine: whatever happens, in whatever order, and what must hold after each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
)

from model.judging import expected_of, expected_of_event, judge, judge_conflict, judge_one
from model.memory import SPACE, Place, Said, Told
from model.world import ACTOR, BOARDS, KEYS, World
from speckitty_connectors import (
    ConflictError,
    GitFacts,
    NotFoundError,
    PolicyScope,
    ResourceSuggestion,
    ReviewItem,
    SuggestionState,
    Target,
)

T = TypeVar("T")

COMMITS = ("ab" * 20, "cd" * 20)
BRANCHES = ("main", "kitty/mission-search-01KQ3XYZ")

things = st.sampled_from([*BOARDS, SPACE])
projects = st.integers(0, 1)
workspaces = st.integers(0, 1)
places = st.integers(0, 2)
picks = st.integers(0, 9)
kinds = st.sampled_from(["card", "push"])
soon = st.sampled_from([True, True, False])
"""Whether a delivery arrives at once; others arrive later, in any order, or never."""


class Model(RuleBasedStateMachine):
    """Acts on a world, and compares what is stored with what the documentation promises."""

    told = Bundle("told")

    def __init__(self) -> None:
        super().__init__()
        self.world = self.new_world()
        self.memory = self.world.memory
        self.connectors = self.world.office.connectors

    def new_world(self) -> World:
        """Return the world of this run."""
        raise NotImplementedError

    # what the provider tells

    @rule(
        target=told,
        board=st.sampled_from(BOARDS),
        kind=kinds,
        branch=st.sampled_from(BRANCHES),
        commits=st.sets(st.sampled_from(COMMITS)),
        at_once=soon,
    )
    def event(self, board: str, kind: str, branch: str, commits: set[str], at_once: bool) -> Told:
        """Something happens on a board."""
        git = GitFacts(branch=branch, commits=tuple(sorted(commits)))
        return self._told(self.world.tell(board, kind=kind, git=git), at_once=at_once)

    @rule(target=told, board=st.sampled_from(BOARDS), key=picks, at_once=soon)
    def rename(self, board: str, key: int, at_once: bool) -> Told:
        """A board is renamed; two never have one name at the same time."""
        free = [each for each in KEYS if each not in self.world.keys.values()]
        self.world.keys[board] = free[key % len(free)]
        return self._told(self.world.tell(board, change="resource_renamed"), at_once=at_once)

    @rule(target=told, board=st.sampled_from(BOARDS), at_once=soon)
    def transfer(self, board: str, at_once: bool) -> Told:
        """A board goes to the other account, which is told of it."""
        (other,) = set(self.world.accounts) - {self.world.owners[board]}
        self.world.owners[board] = other
        return self._told(self.world.tell(board, change="resource_transferred"), at_once=at_once)

    @rule(target=told, account=st.integers(0, 1), at_once=soon)
    def uninstall(self, account: int, at_once: bool) -> Told:
        """An owner uninstalls the app."""
        told = self.world.tell(account=self.world.accounts[account], change="uninstalled")
        return self._told(told, at_once=at_once)

    @rule(told=told)
    def arrive(self, told: Told) -> None:
        """A delivery arrives: late, or again, in which case nothing happens."""
        if told.id in self.world.closed:
            return
        if told.id in self.world.arrived:
            self.world.office.clock.advance(60)
            assert self.world.post(told, hook_of=self.world.arrived[told.id]) == "duplicate"
            self.world.office.work()
        else:
            self._arrive(told)

    @rule(several=st.lists(told, unique_by=lambda each: each.id, min_size=2, max_size=5))
    def arrive_together(self, several: list[Told]) -> None:
        """Deliveries arrive in another order than that in which they were made, before any worker looks."""
        self._arrive(*(each for each in several if each.id not in self.world.arrived))

    @rule(target=told, place=places, board=st.sampled_from(BOARDS), elsewhere=st.booleans())
    def event_by_hook(self, place: int, board: str, elsewhere: bool) -> Told | MultipleResults[Told]:
        """An event comes by one installation's own hook, which may claim to be of another account."""
        chosen = self.memory.places[place]
        if chosen.id not in self.world.hooks:
            return multiple()
        (other,) = set(self.world.accounts) - {chosen.account}
        told = self.world.tell(board, account=other if elsewhere else chosen.account, kind="card")
        self.world.office.clock.advance(60)
        assert self.world.post(told, hook_of=chosen.id) == "accepted"
        self.world.arrived[told.id] = chosen.id
        self.world.office.work()
        if elsewhere:
            judge_conflict(self.world, told, chosen)
        else:
            judge(self.world, told, expected_of_event(self.world, told, [chosen]))
        return told

    # what people do

    @rule(workspace=workspaces, project=projects, how=st.sampled_from(["remote", "slug"]), key=picks)
    def report_name(self, workspace: int, project: int, how: str, key: int) -> None:
        """A project reports how it calls its repository."""
        self._report(workspace, project, how, KEYS[key % len(KEYS)])

    @rule(workspace=workspaces, project=projects, how=st.sampled_from(["commit", "branch"]), which=picks)
    def report_work(self, workspace: int, project: int, how: str, which: int) -> None:
        """A project reports what it works on."""
        values = COMMITS if how == "commit" else BRANCHES
        self._report(workspace, project, how, values[which % len(values)])

    @rule(place=places, thing=things, project=projects, wanted=st.sampled_from([(), ("card",)]))
    def map(self, place: int, thing: str, project: int, wanted: tuple[str, ...]) -> None:
        """A person maps a board or a space."""
        chosen, name = self._chosen(place, project)
        refused = name in chosen.mapped[thing] or thing not in chosen.seen
        with _raising(ConflictError, NotFoundError, when=refused):
            self.world.map(chosen, thing, name, wanted)

    @precondition(lambda self: bool(self._mapped()))
    @rule(pick=picks)
    def unmap(self, pick: int) -> None:
        """A person removes a mapping; nothing suggests it again by itself."""
        place, thing, project = _one(self._mapped(), pick)
        said = place.mapped[thing].pop(project)
        self.connectors.mappings.remove(workspace=place.workspace, mapping_id=said.id, actor=ACTOR)
        self.memory.turn_down(place, thing, project)

    @precondition(lambda self: bool(self._mapped()))
    @rule(pick=picks, paused=st.booleans())
    def pause(self, pick: int, paused: bool) -> None:
        """A person pauses or resumes a mapping."""
        place, thing, project = _one(self._mapped(), pick)
        said = place.mapped[thing][project]
        do = self.connectors.mappings.pause if paused else self.connectors.mappings.resume
        do(workspace=place.workspace, mapping_id=said.id, actor=ACTOR)
        said.paused = paused

    @rule(place=places)
    def disconnect(self, place: int) -> None:
        """A person disconnects an account."""
        chosen = self.memory.places[place]
        self.connectors.onboarding.remove(workspace=chosen.workspace, installation_id=chosen.id, actor=ACTOR)
        chosen.live = False
        self.world.hooks.pop(chosen.id, None)
        self.world.closed |= {told_id for told_id, hook_of in self.world.arrived.items() if hook_of == chosen.id}

    @rule(place=places)
    def come_back(self, place: int) -> None:
        """A person connects the account again, which may never have been away."""
        self.world.connect(self.memory.places[place])

    @rule(place=places)
    def refresh(self, place: int) -> None:
        """The inventory is looked over for suggestions."""
        chosen = self.memory.places[place]
        if chosen.live:
            self.connectors.suggestions.refresh(workspace=chosen.workspace, installation_id=chosen.id)

    @precondition(lambda self: bool(self._suggestions()))
    @rule(pick=picks)
    def confirm(self, pick: int) -> None:
        """A person confirms a suggestion."""
        suggestion = _one(self._suggestions(), pick)
        confirmed = self.connectors.suggestions.confirm(
            workspace=suggestion.workspace, suggestion_id=suggestion.id, actor=ACTOR
        )
        place, thing = self.memory.place(suggestion.installation_id), suggestion.resource_external_id
        known = place.mapped[thing].setdefault(suggestion.target.id, Said(id=confirmed.mapping_id))
        assert known.id == confirmed.mapping_id

    @precondition(lambda self: bool(self._suggestions()))
    @rule(pick=picks)
    def dismiss(self, pick: int) -> None:
        """A person dismisses a suggestion."""
        suggestion = _one(self._suggestions(), pick)
        self.connectors.suggestions.dismiss(
            workspace=suggestion.workspace, suggestion_id=suggestion.id, actor=ACTOR
        )
        place = self.memory.place(suggestion.installation_id)
        self.memory.turn_down(place, suggestion.resource_external_id, suggestion.target.id)

    @precondition(lambda self: bool(self._items()))
    @rule(pick=picks, project=projects)
    def map_item(self, pick: int, project: int) -> None:
        """A person maps what waits, and it is handed over."""
        item, place = _one(self._items(), pick)
        name = self.world.projects(place.workspace)[project]
        refused = not place.live or name in place.mapped[item.subject.id]
        with _raising(ConflictError, when=refused):
            mapped = self.connectors.review.map(
                workspace=item.workspace, item_id=item.id, target=Target(kind="project", id=name), actor=ACTOR
            )
            place.mapped[item.subject.id][name] = Said(id=mapped.mapping.id)
            if item.subject.id not in place.seen:
                place.note(item.subject.id, item.last_seen, gone=False, key=item.subject.key)
            self._replayed(place, item.subject.id)

    @precondition(lambda self: bool(self._items()))
    @rule(pick=picks)
    def replay(self, pick: int) -> None:
        """A person has what waits decided anew."""
        item, place = _one(self._items(), pick)
        with _raising(ConflictError, when=not place.live):
            self.connectors.review.replay(workspace=item.workspace, item_id=item.id, actor=ACTOR)
            self._replayed(place, item.subject.id)

    @precondition(lambda self: bool(self._items()))
    @rule(pick=picks)
    def dismiss_item(self, pick: int) -> None:
        """A person says that nobody wants to see such events."""
        item, _ = _one(self._items(), pick)
        self.connectors.review.dismiss(workspace=item.workspace, item_id=item.id, actor=ACTOR, reason="noise")

    @rule(workspace=workspaces, project=projects, muted=st.sampled_from([None, ("card",), ("card", "push")]))
    def override(self, workspace: int, project: int, muted: tuple[str, ...] | None) -> None:
        """A project doesn't want some kinds of events, or explicitly mutes none."""
        owner = self.world.workspaces[workspace]
        name = self.world.projects(owner)[project]
        scope = PolicyScope(workspace=owner, provider="fake", project_id=name)
        self.connectors.policies.set(scope, fields={"muted_kinds": muted}, actor=ACTOR)
        self.memory.muted[owner, name] = muted or ()

    @rule(workspace=workspaces, project=projects)
    def inherit(self, workspace: int, project: int) -> None:
        """A project wants nothing otherwise any more."""
        owner = self.world.workspaces[workspace]
        name = self.world.projects(owner)[project]
        scope = PolicyScope(workspace=owner, provider="fake", project_id=name)
        self.connectors.policies.clear(scope, actor=ACTOR)
        self.memory.muted.pop((owner, name), None)

    # what always holds

    @invariant()
    def mappings_stand_as_people_and_the_provider_left_them(self) -> None:
        """Each mapping that people made is there, in the state that follows from all that was said and told."""
        expected = {
            said.id: place.state_of(thing, said)
            for place in self.memory.places
            for thing, mapped in place.mapped.items()
            for said in mapped.values()
        }
        stored = {
            mapping.id: mapping.state
            for workspace in self.world.workspaces
            for mapping in self.connectors.mappings.list(workspace=workspace)
        }
        assert stored == expected

    @invariant()
    def what_was_turned_down_stays_so(self) -> None:
        """A suggestion that a person turned down is dismissed until something new speaks for it."""
        stored = {
            (each.installation_id, each.resource_external_id, each.target.id): each.state
            for workspace in self.world.workspaces
            for each in self.connectors.suggestions.list(workspace=workspace, state=None)
        }
        for installation_id, thing, project in list(self.memory.turned_down):
            place, state = self.memory.place(installation_id), stored[installation_id, thing, project]
            if state is not SuggestionState.DISMISSED:
                assert not self.memory.is_turned_down(place, thing, project), "it came back without new evidence"
                del self.memory.turned_down[installation_id, thing, project]

    def teardown(self) -> None:
        """Every delivery that arrived has ended, and what was handed over was handed over once."""
        for told_id, hook_of in self.world.arrived.items():
            decided = [each for found in self.world.decided(told_id).values() for each in found]
            assert decided, f"{told_id} was accepted, and nothing became of it"
            installations = [each.decision.installation_id for each in decided]
            assert len(set(installations)) == len(installations)
            assert not hook_of or installations == [hook_of]
        assert set(self.world.handed.values()) <= {1}

    # what the rules share

    def _told(self, told: Told, *, at_once: bool) -> Told:
        if at_once:
            self._arrive(told)
        return told

    def _arrive(self, *told: Told) -> None:
        self.world.arrive(*told)
        for each in told:
            judge(self.world, each, expected_of(self.world, each), alone=len(told) == 1)

    def _replayed(self, place: Place, board: str) -> None:
        """Judge anew what waited in a board's item."""
        self.world.office.work()
        for (told_id, installation_id), told in list(self.world.waiting.items()):
            if (installation_id, told.board) == (place.id, board):
                del self.world.waiting[told_id, installation_id]
                judge_one(self.world, told, place, self.memory.verdict(place, told))

    def _chosen(self, place: int, project: int) -> tuple[Place, str]:
        chosen = self.memory.places[place]
        return chosen, self.world.projects(chosen.workspace)[project]

    def _mapped(self) -> list[tuple[Place, str, str]]:
        """Return the mappings that there are."""
        return [
            (place, thing, project)
            for place in self.memory.places
            for thing in (*BOARDS, SPACE)
            for project in sorted(place.mapped[thing])
        ]

    def _suggestions(self) -> list[ResourceSuggestion]:
        """Return the open suggestions, in an order that ids don't decide."""
        return [
            suggestion
            for place in self.memory.places
            for suggestion in sorted(
                self.connectors.suggestions.list(workspace=place.workspace, installation_id=place.id),
                key=lambda each: (each.resource_external_id, each.target.id),
            )
        ]

    def _items(self) -> list[tuple[ReviewItem, Place]]:
        """Return the open review items of boards, in an order that ids don't decide."""
        return [
            (item, place)
            for place in self.memory.places
            for item in sorted(
                self.connectors.review.list(workspace=place.workspace, installation_id=place.id),
                key=lambda each: each.subject.id,
            )
            if item.subject.kind == "board"
        ]

    def _report(self, workspace: int, project: int, how: str, value: str) -> None:
        name = self.world.workspaces[workspace]
        self.world.report(name, self.world.projects(name)[project], how, value)


def _one(there: Sequence[T], pick: int) -> T:
    """Return one of those that there are."""
    return there[pick % len(there)]


@contextmanager
def _raising(*errors: type[Exception], when: bool) -> Iterator[None]:
    """Expect one of these errors, or none."""
    try:
        yield
    except errors:
        assert when, "it was refused without a reason"
    else:
        assert not when, "it should have been refused"

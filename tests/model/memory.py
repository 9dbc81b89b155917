"""What a careful reader of the documentation remembers of all that was said and told, and expects of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime

from attrs import define, field, frozen

from speckitty_connectors import GitFacts
from speckitty_connectors.mappings.types import MappingState
from speckitty_connectors.routing.types import Stage

SPACE = "s1"
"""The space that contains every board; events of a board name it, too."""

NEVER = datetime.min.replace(tzinfo=UTC)
"""When happened what nobody told of."""


@frozen(kw_only=True)
class Told:
    """A delivery as the provider made it; it may arrive late, several times, or never.

    Attributes:
        id: the provider's id of it.
        account: the account it names.
        moment: when it happened; no two of one world share one.
        board: the board that it is about.
        key: what that board was called then.
        kind: the event's kind; or empty.
        change: the change that it tells of; or empty.
        git: what an event says of git.
    """

    id: str
    account: str
    moment: datetime
    board: str = ""
    key: str = ""
    kind: str = ""
    change: str = ""
    git: GitFacts = field(factory=GitFacts)


@define
class Said:
    """A mapping as people left it.

    Attributes:
        id: the mapping's id.
        kinds: the kinds of events that it wants; all where empty.
        paused: whether people paused it.
    """

    id: str
    kinds: tuple[str, ...] = ()
    paused: bool = False


@frozen
class Verdict:
    """What must become of an event by what people mapped.

    Attributes:
        stage: the stage that decides.
        projects: where the event goes.
    """

    stage: Stage
    projects: frozenset[str] = frozenset()


@define(kw_only=True)
class Place:
    """One workspace's connection to one account.

    Attributes:
        workspace: the workspace.
        account: the account.
        id: id of the installation.
        connected_at: since when it has been connected, the last time.
        live: whether it is.
        mapped: board or space → project → mapping.
        seen: board → when it was last told whether it is there, and whether it is gone.
        names: board → all that it has been called.
        commits: board → the commits of its events.
        branches: board → the branches of its events.
    """

    workspace: str
    account: str
    id: str = ""
    connected_at: datetime = NEVER
    live: bool = False
    mapped: dict[str, dict[str, Said]] = field(factory=lambda: defaultdict(dict))
    seen: dict[str, tuple[datetime, bool]] = field(factory=dict)
    names: dict[str, set[str]] = field(factory=lambda: defaultdict(set))
    commits: dict[str, set[str]] = field(factory=lambda: defaultdict(set))
    branches: dict[str, set[str]] = field(factory=lambda: defaultdict(set))

    def is_gone(self, thing: str) -> bool:
        """Return whether nothing can come over a board or space."""
        return not self.live or self.seen.get(thing, (NEVER, False))[1]

    def note(self, board: str, moment: datetime, *, gone: bool, key: str = "") -> None:
        """Remember whether a board is there; what happened later and was told before holds."""
        self.seen[board] = max(self.seen.get(board, (NEVER, False)), (moment, gone))
        if key:
            self.names[board].add(key)

    def state_of(self, thing: str, said: Said) -> MappingState:
        """Return the state that a mapping must be in."""
        if said.paused:
            return MappingState.PAUSED
        return MappingState.ORPHANED if self.is_gone(thing) else MappingState.ACTIVE

    def verdict(self, told: Told, muted: Collection[str]) -> Verdict | None:
        """Return what must become of an event; None where nothing is mapped, so that inference is asked.

        Args:
            told: the event.
            muted: the projects that want no event of its kind.
        """
        if not self.live:
            return Verdict(Stage.IGNORED)
        level = next((each for each in (told.board, SPACE) if self.mapped.get(each)), None)
        if level is None:
            return None
        states = {project: self.state_of(level, said) for project, said in self.mapped[level].items()}
        routing = {project for project, state in states.items() if state is MappingState.ACTIVE}
        wanting = {each for each in routing if told.kind in (self.mapped[level][each].kinds or (told.kind,))}
        if wanting:
            left = frozenset(wanting - set(muted))
            return Verdict(Stage.EXPLICIT, left) if left else Verdict(Stage.IGNORED)
        is_said = routing or MappingState.PAUSED in states.values()
        return Verdict(Stage.IGNORED if is_said else Stage.REVIEW)


@define(kw_only=True)
class Report:
    """What the projects of a workspace have reported: project → what was seen there."""

    names: dict[str, set[tuple[str, str]]] = field(factory=lambda: defaultdict(set))
    commits: dict[str, set[str]] = field(factory=lambda: defaultdict(set))
    branches: dict[str, set[str]] = field(factory=lambda: defaultdict(set))

    def projects(self) -> set[str]:
        """Return who has reported anything."""
        return {*self.names, *self.commits, *self.branches}


@define(kw_only=True)
class Memory:
    """Everything that was said and told.

    Attributes:
        places: the connections, in a fixed order.
        reports: workspace → what its projects reported.
        muted: workspace and project → the kinds of events that it doesn't want.
        turned_down: place, thing and project of each suggestion that people turned down → what spoke for it then.
    """

    places: list[Place]
    reports: Mapping[str, Report]
    muted: dict[tuple[str, str], tuple[str, ...]] = field(factory=dict)
    turned_down: dict[tuple[str, str, str], frozenset[str]] = field(factory=dict)

    def concerned(self, account: str) -> Iterator[Place]:
        """Yield the connections that a delivery of an account concerns."""
        return (place for place in self.places if place.live and place.account == account)

    def place(self, installation_id: str) -> Place:
        """Return the connection of an installation."""
        return next(place for place in self.places if place.id == installation_id)

    def verdict(self, place: Place, told: Told) -> Verdict | None:
        """Return what must become of an event; None where nothing is mapped, so that inference is asked."""
        return place.verdict(told, self.muting(place.workspace, told.kind))

    def muting(self, workspace: str, kind: str) -> set[str]:
        """Return the projects of a workspace that want no event of a kind."""
        return {project for (owner, project), kinds in self.muted.items() if owner == workspace and kind in kinds}

    def take(self, told: Told) -> list[Place]:
        """Take note of a change, and return the connections that it concerns."""
        concerned = list(self.concerned(told.account))
        match told.change:
            case "resources_added":
                for place in concerned:
                    place.note(told.board, told.moment, gone=False, key=told.key)
                    place.note(SPACE, told.moment, gone=False)
            case "uninstalled":
                for place in concerned:
                    place.live = place.connected_at > told.moment
            case "resource_renamed":
                for place in concerned:
                    self._rename(place, told)
            case "resource_transferred":
                for place in concerned:
                    place.note(told.board, told.moment, gone=False, key=told.key)
                    self._leave_siblings(place, told)
        return concerned

    def hear(self, place: Place, told: Told) -> None:
        """Take note of what an event shows of its board."""
        place.names[told.board].add(told.key)
        place.commits[told.board].update(told.git.commits)
        place.branches[told.board].add(told.git.branch)

    def evidence(self, place: Place, board: str, project: str) -> frozenset[str]:
        """Return what speaks for a project, as far as it has been seen of the board."""
        report = self.reports[place.workspace]
        names = {f"{how} {name}" for how, name in report.names[project] if name in place.names[board]}
        commits = report.commits[project] & place.commits[board]
        branches = report.branches[project] & place.branches[board]
        return frozenset(names | commits | branches)

    def turn_down(self, place: Place, board: str, project: str) -> None:
        """Remember that a person said no, and what spoke for it at that moment."""
        self.turned_down[place.id, board, project] = self.evidence(place, board, project)

    def is_turned_down(self, place: Place, board: str, project: str) -> bool:
        """Return whether a person said no, and nothing new speaks for it since."""
        known = self.turned_down.get((place.id, board, project))
        return known is not None and self.evidence(place, board, project) <= known

    def _rename(self, place: Place, told: Told) -> None:
        place.seen.setdefault(told.board, (NEVER, False))
        place.names[told.board].add(told.key)

    def _leave_siblings(self, place: Place, told: Told) -> None:
        for sibling in self.places:
            if sibling.workspace == place.workspace and sibling is not place and told.board in sibling.seen:
                sibling.note(told.board, told.moment, gone=True)

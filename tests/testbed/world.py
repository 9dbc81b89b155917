"""A generated world of workspaces, repositories and projects, in which it is known whose each event is.

Everything that misleads git evidence in real life is in it: forks that share commits, several projects in one
repository, renamed repositories, names that another repository took over, remotes without a host, namesakes on
another host, projects that report nothing, and the same names in every workspace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from attrs import define, evolve, field, frozen
from sqlalchemy import Connection

from speckitty_connectors import Event, GitFacts, Resource, ResourceReference, Signal, Target
from speckitty_connectors.contract.fake import MANIFEST
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.resources.repository import upsert_resources
from speckitty_connectors.routing.batch import Case
from speckitty_connectors.routing.decide import decide
from speckitty_connectors.routing.loading import load
from speckitty_connectors.routing.types import Conclusion, Stage
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store.engine import Store

from .layers import add_installation

CONNECTED = datetime(2026, 3, 1, tzinfo=UTC)
NOW = CONNECTED + timedelta(days=20)
OTHER_HOST = "other.example"
ULID_CHARACTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@frozen(kw_only=True)
class Happening:
    """An event, and whose it is; nobody's where no project has that repository."""

    resource: ResourceReference
    git: GitFacts
    truth: str
    situation: str


@define
class Place:
    """A workspace: what its two installations see, what its projects report, and what happens."""

    name: str
    here: Installation
    there: Installation
    seen: list[tuple[Installation, Resource, datetime]] = field(factory=list)
    signals: list[Signal] = field(factory=list)
    happenings: list[Happening] = field(factory=list)


@define
class Outcome:
    """What inference made of a world."""

    right: Counter[str] = field(factory=Counter)
    wrong: list[tuple[Happening, Conclusion]] = field(factory=list)
    silent: Counter[str] = field(factory=Counter)
    silent_by_situation: Counter[str] = field(factory=Counter)
    nobodys: int = 0

    @property
    def share(self) -> float:
        """Decided events among those that are somebody's."""
        decided = self.right.total()
        return decided / (decided + self.silent.total() - self.nobodys)

    def lines(self) -> Iterator[str]:
        """Yield the report."""
        decided, somebodys = self.right.total(), self.right.total() + self.silent.total() - self.nobodys
        yield f"{somebodys + self.nobodys} events, {self.nobodys} of them nobody's"
        yield f"wrong {len(self.wrong)}; decided {decided} of {somebodys}, a share of {self.share:.3f}"
        yield "decided by rule: " + ", ".join(f"{rule} {count}" for rule, count in self.right.most_common())
        yield "left to a person: " + ", ".join(f"{reason} {count}" for reason, count in self.silent.most_common())
        yield "of these: " + ", ".join(f"{name} {count}" for name, count in self.silent_by_situation.most_common())


class World:
    """Workspaces with repositories; the same seed gives the same world.

    Args:
        store: migrated and empty.
        workspaces: how many workspaces.
        situations: how many situations in each, of one to three repositories.
        seed: of everything that is chosen.
    """

    def __init__(self, store: Store, *, workspaces: int, situations: int, seed: int = 7) -> None:
        self._store = store
        self._random = Random(seed)
        self._numbers = 0
        self.places: list[Place] = []
        for number in range(workspaces):
            self.places.append(self._place(number, situations))

    @property
    def repositories(self) -> int:
        """How many repositories there are."""
        return sum(len({(i.id, resource.id) for i, resource, _ in place.seen}) for place in self.places)

    def plant(self) -> None:
        """Write what installations see and what projects report."""
        for place in self.places:
            with self._store.transaction() as connection:
                for installation, resource, at in sorted(place.seen, key=lambda each: each[2]):
                    upsert_resources(
                        connection,
                        installation,
                        listed=[resource],
                        at=at,
                    )
            Signals(self._store).report(workspace=place.name, signals=place.signals)

    def infer(self, batch: int = 50) -> Outcome:
        """Ask the stage of inference about everything that happens."""
        outcome = Outcome()
        with self._store.reading() as connection:
            for place in self.places:
                for start in range(0, len(place.happenings), batch):
                    self._ask(connection, place, place.happenings[start : start + batch], outcome)
        return outcome

    def _ask(self, connection: Connection, place: Place, happenings: Sequence[Happening], outcome: Outcome) -> None:
        cases = [case_of(place.here, happening) for happening in happenings]
        for happening, conclusion in zip(happenings, decide(load(connection, cases)), strict=True):
            if conclusion.stage is not Stage.INFERRED:
                outcome.silent[conclusion.rule] += 1
                outcome.nobodys += not happening.truth
                if happening.truth:
                    outcome.silent_by_situation[happening.situation] += 1
            elif [routed.target for routed in conclusion.targets] == [Target(kind="project", id=happening.truth)]:
                outcome.right[conclusion.rule] += 1
            else:
                outcome.wrong.append((happening, conclusion))

    def _place(self, number: int, situations: int) -> Place:
        name = f"w{number:03}"
        place = Place(
            name=name,
            here=add_installation(self._store, name, created_at=CONNECTED),
            there=add_installation(self._store, name, host=OTHER_HOST, created_at=CONNECTED),
        )
        for index in range(situations):
            label, weight = zip(*SITUATIONS, strict=True)
            (situation,) = self._random.choices(label, weight)
            situation(self, place, f"octo/{situation.__name__}-{index}")
        return place

    # what a situation is made of

    def sha(self) -> str:
        return f"{self._random.getrandbits(160):040x}"

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def project(self, place: Place) -> str:
        self._numbers += 1
        return f"{place.name}-p{self._numbers}"

    def repository(
        self, place: Place, key: str, *, at: datetime = CONNECTED, installation: Installation | None = None
    ) -> ResourceReference:
        self._numbers += 1
        resource = Resource(kind="board", id=f"r{self._numbers}", key=key)
        place.seen.append((installation or place.here, resource, at))
        return ResourceReference(kind="board", id=resource.id, key=key)

    def rename(self, place: Place, reference: ResourceReference, key: str, at: datetime) -> ResourceReference:
        place.seen.append((place.here, Resource(kind="board", id=reference.id, key=key), at))
        return evolve(reference, key=key)

    def report(self, place: Place, project: str, *, days: int = -10, **values: object) -> None:
        """Let a project report, some days after the connection."""
        signal = Signal(project_id=project, observed_at=CONNECTED + timedelta(days=days), **values)  # type: ignore[arg-type]  # what the situation is about
        place.signals.append(signal)

    def remote(self, key: str, host: str = "fake.example") -> str:
        """Spell a remote in one of the usual ways."""
        spelling = self._random.choice(
            [
                "git@{host}:{key}.git",
                "https://{host}/{key}.git",
                "https://mona:hunter2@{host}/{key}",
                "ssh://git@{host}:2222/{key}.git",
                "git@{HOST}:{KEY}",
            ]
        )
        return spelling.format(host=host, key=key, HOST=host.upper(), KEY=key.title())

    def mission(self) -> str:
        tail = "".join(self._random.choices(ULID_CHARACTERS, k=7))
        return f"{self._random.choice(['search', 'billing', 'login'])}-0{tail}"

    def happen(self, place: Place, resource: ResourceReference, truth: str, **git: object) -> None:
        facts = GitFacts(**git)  # type: ignore[arg-type]  # what the situation is about
        name = resource.key.partition("/")[2].partition("-")[0].lower()
        place.happenings.append(Happening(resource=resource, git=facts, truth=truth, situation=name))

    # the situations

    def plain(self, place: Place, key: str) -> None:
        """One repository, one project, whose checkouts name it."""
        resource, project, head = self.repository(place, key), self.project(place), self.sha()
        self.report(place, project, remote_url=self.remote(key), commits=(head,), branches=("main", "HEAD"))
        self.happen(place, resource, project, branch="main", commits=(head, self.sha()))
        self.happen(place, resource, project, branch="topic", commits=(self.sha(),), from_fork=self.chance(0.5))

    def hostless(self, place: Place, key: str) -> None:
        """The project reports a slug without a host; sometimes its builds say more."""
        resource, project, head = self.repository(place, key), self.project(place), self.sha()
        self.report(place, project, repo_slug=key, commits=(head,))
        self.happen(place, resource, project, branch="main", commits=(self.sha(), head))
        self.happen(place, resource, project, branch="main", commits=(self.sha(),))

    def namesake(self, place: Place, key: str) -> None:
        """The same name on two hosts, and a slug that is meant for the other one."""
        resource = self.repository(place, key)
        self.repository(place, key, installation=place.there)
        ours, theirs, head = self.project(place), self.project(place), self.sha()
        self.report(place, theirs, repo_slug=key, commits=(head,))
        if self.chance(0.5):
            self.report(place, theirs, remote_url=self.remote(key, OTHER_HOST))
        if self.chance(0.5):
            self.report(place, ours, remote_url=self.remote(key))
        self.happen(place, resource, ours, branch="main", commits=(self.sha(),))
        self.happen(place, resource, ours, branch="main", commits=(head,))  # a mirror of the other one

    def fork(self, place: Place, key: str) -> None:
        """A fork that has the upstream's commits, and a project of its own; the upstream's may be silent."""
        upstream, fork = self.repository(place, key), self.repository(place, f"mona/{key.partition('/')[2]}")
        ours, theirs = self.project(place), self.project(place)
        shared, own = self.sha(), self.sha()
        if self.chance(0.5):
            self.report(place, ours, remote_url=self.remote(key), commits=(shared,))
        if self.chance(0.6):
            self.report(place, theirs, remote_url=self.remote(fork.key), commits=(shared, own))
        elif self.chance(0.5):
            self.report(place, theirs, repo_slug=fork.key, commits=(shared, own))
        else:
            self.report(place, theirs, commits=(shared, own))
        self.happen(place, upstream, ours, branch="main", commits=(self.sha(), shared))
        self.happen(place, upstream, ours, branch="main", commits=(own,))  # merged from the fork as it was
        self.happen(place, upstream, ours, branch="topic", commits=(own,), from_fork=True)
        self.happen(place, evolve(fork, key=fork.key), theirs, branch="main", commits=(shared,))

    def monorepo(self, place: Place, key: str) -> None:
        """Several projects in one repository; only the branch of a mission says whose an event is."""
        resource = self.repository(place, key)
        shared = self.sha()
        for _ in range(self._random.randint(2, 4)):
            project, mission, head = self.project(place), self.mission(), self.sha()
            branch = f"kitty/mission-{mission}"
            if self.chance(0.8):
                self.report(place, project, remote_url=self.remote(key), commits=(shared, head))
            else:
                self.report(place, project, repo_slug=key, commits=(shared, head))
            if self.chance(0.7):
                self.report(place, project, branches=(f"{branch}-lane-a",), feature_slugs=("001-setup",))
            self.happen(place, resource, project, branch="main", commits=(shared, head))
            self.happen(place, resource, project, branch=f"{branch}-lane-b", commits=(self.sha(),))
            self.happen(place, resource, project, branch="kitty/mission-001-setup", commits=(self.sha(),))

    def renamed(self, place: Place, key: str) -> None:
        """A repository that was renamed, and checkouts that name it as before."""
        project, head = self.project(place), self.sha()
        self.report(place, project, remote_url=self.remote(key), commits=(head,))
        resource = self.rename(place, self.repository(place, key), f"{key}-2", CONNECTED + timedelta(days=5))
        self.happen(place, resource, project, branch="main", commits=(head,))
        self.happen(place, resource, project, branch="main", commits=(self.sha(),))

    def reused(self, place: Place, key: str) -> None:
        """A name that another repository took over; checkouts of the old one still name it."""
        before, after, head = self.project(place), self.project(place), self.sha()
        self.report(place, before, remote_url=self.remote(key), commits=(head,))
        self.report(place, before, remote_url=self.remote(key), days=12)
        first, taken = self._random.choice([(key, key), (key, key.title()), (key.title(), key)])
        old = self.rename(place, self.repository(place, first), f"{key}-old", CONNECTED + timedelta(days=5))
        new = self.repository(place, taken, at=CONNECTED + timedelta(days=6))
        if self.chance(0.5):
            self.report(place, after, remote_url=self.remote(key), commits=(self.sha(),), days=8)
        self.happen(place, new, after, branch="main", commits=(self.sha(),))
        self.happen(place, old, before, branch="main", commits=(head,))

    def inherited(self, place: Place, key: str) -> None:
        """The same, but the old repository was never among those we see."""
        before, after = self.project(place), self.project(place)
        self.report(place, before, remote_url=self.remote(key), commits=(self.sha(),))
        new = self.repository(place, key, at=CONNECTED + timedelta(days=6))
        if self.chance(0.5):
            self.report(place, after, remote_url=self.remote(key), commits=(self.sha(),), days=8)
        self.happen(place, new, after, branch="main", commits=(self.sha(),))

    def nobodys(self, place: Place, key: str) -> None:
        """A repository that no project of this workspace has, though one of another workspace has."""
        key, head = f"{key}-{place.name}", self.sha()
        resource = self.repository(place, key)
        if self.places:
            other = self._random.choice(self.places)
            self.report(other, self.project(other), remote_url=self.remote(key), commits=(head,))
        self.happen(place, resource, "", branch="main", commits=(head,))

    def bare(self, place: Place, key: str) -> None:
        """A project without any remote; its builds and its mission are all there is."""
        resource, project, mission, head = (
            self.repository(place, key),
            self.project(place),
            self.mission(),
            self.sha(),
        )
        self.report(place, project, commits=(head,), branches=(f"kitty/mission-{mission}",))
        self.happen(place, resource, project, branch=f"kitty/mission-{mission}", commits=(head,))
        self.happen(place, resource, project, branch="main", commits=(head,))


Situation = Callable[[World, Place, str], None]

SITUATIONS: Sequence[tuple[Situation, int]] = (
    (World.plain, 10),
    (World.hostless, 3),
    (World.namesake, 2),
    (World.fork, 4),
    (World.monorepo, 3),
    (World.renamed, 2),
    (World.reused, 2),
    (World.inherited, 1),
    (World.nobodys, 2),
    (World.bare, 1),
)
"""The situations, and how common each is."""


def case_of(installation: Installation, happening: Happening) -> Case:
    """Return what the router would ask about an event."""
    event = Event(kind="push", resources=(happening.resource,), git=happening.git, occurred_at=NOW)
    return Case.of_event(installation, event, MANIFEST)

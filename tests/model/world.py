"""Two workspaces, two accounts and what happens between them, through what a host and a provider can reach."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import define, evolve, field

from model.memory import SPACE, Memory, Place, Report, Said, Told
from speckitty_connectors import NotFoundError, ResourceReference, Selector, Signal, Target
from speckitty_connectors.routing.explanation import ExplainedDecision
from speckitty_connectors.store.metadata import OPERATOR
from speckitty_connectors.subscriptions.types import HandMade
from testbed.office import Office

KEYS = ("kitchen/menu", "kitchen/orders", "kitchen/soup", "kitchen/cakes")
BOARDS = ("b1", "b2")
ACTOR = "member:mona"

_numbers = itertools.count(1)


@define(kw_only=True)
class World:
    """What a machine acts on; each has workspaces and accounts of its own, so that one database serves many.

    Attributes:
        office: the host and its provider.
        memory: what was said and told.
        workspaces: the workspaces; both connect the first account, the first connects the second one, too.
        accounts: the accounts; at first all boards are in the first.
        owners: board → the account that has it now.
        keys: board → what it is called now.
        hooks: installation → the hook that a person made for it.
        arrived: id of a delivery → the installation whose hook it came by, or empty for the app's address.
        handed: what the host's handler was given, and how often.
        closed: ids of deliveries whose hook is gone, so that they can't come again.
        waiting: deliveries and installations whose events wait for a person.
        events: id of a delivery → its id in the inbox, by which it is found when its hook is gone, too.
    """

    office: Office
    memory: Memory
    workspaces: Sequence[str]
    accounts: Sequence[str]
    handed: Counter[tuple[str, str, str]]
    owners: dict[str, str] = field(factory=dict)
    keys: dict[str, str] = field(factory=dict)
    hooks: dict[str, HandMade] = field(factory=dict)
    arrived: dict[str, str] = field(factory=dict)
    closed: set[str] = field(factory=set)
    waiting: dict[tuple[str, str], Told] = field(factory=dict)
    events: dict[str, str] = field(factory=dict)

    @classmethod
    def at(cls, office: Office, handed: Counter[tuple[str, str, str]]) -> World:
        """Return a world in which both workspaces have connected the first account, and listed its boards."""
        number = next(_numbers)
        workspaces = [f"w{number}-{name}" for name in ("kitchen", "garden")]
        accounts = [f"{number}-{name}" for name in ("seven", "eight")]
        connected = [(workspaces[0], accounts[0]), (workspaces[1], accounts[0]), (workspaces[0], accounts[1])]
        memory = Memory(
            places=[Place(workspace=workspace, account=account) for workspace, account in connected],
            reports={workspace: Report() for workspace in workspaces},
        )
        world = cls(office=office, memory=memory, workspaces=workspaces, accounts=accounts, handed=handed)
        for place in memory.places:
            world.connect(place)
        for board, key in zip(BOARDS, KEYS, strict=False):
            world.owners[board], world.keys[board] = accounts[0], key
            listed = world.tell(board, change="resources_added")
            world.arrive(listed)
            memory.take(listed)
        return world

    def projects(self, workspace: str) -> list[str]:
        """Return the projects of a workspace; no two workspaces have one of the same name."""
        return [f"{workspace}-{name}" for name in ("apollo", "gemini")]

    # what the provider does

    def tell(self, board: str = "", *, account: str = "", **values: object) -> Told:
        """Let the provider make a delivery about a board or an account; it hasn't arrived yet."""
        self.office.clock.advance(60)
        about = {"board": board, "key": self.keys[board], "account": self.owners[board]} if board else {}
        account = account or str(about.get("account", ""))
        given: dict[str, object] = {
            **about,
            "id": f"delivery-{next(_numbers)}",
            "account": account,
            "moment": self.office.clock(),
            **values,
        }
        return Told(**given)  # type: ignore[arg-type]  # the values of the rule

    def post(self, told: Told, *, hook_of: str = "", account: str = "", under: str = "") -> str:
        """Let a delivery arrive, at the app's address or by a hook; return the code of the answer."""
        hook = self.hooks.get(hook_of)
        address = {"url": hook.url, "secret": hook.secret} if hook else {}
        document = evolve(told, account=account or told.account)
        answer = self.office.accept(document_of(document), delivery_id=under or told.id, **address)  # type: ignore[arg-type]  # url and secret
        return answer.code

    def arrive(self, *told: Told) -> None:
        """Let deliveries arrive at the app's address one after the other, and a worker take them all."""
        self.office.clock.advance(60)
        for each in told:
            assert self.post(each) == "accepted"
            self.arrived[each.id] = ""
        self.office.work()

    # what people do

    def connect(self, place: Place) -> None:
        """Connect, or connect again, a workspace and an account; make a hook where there is none."""
        self.office.clock.advance(60)
        account = {"id": place.account, "name": place.account, "kind": "space"}
        known = self.office.connect(workspace=place.workspace, account=account)
        assert place.id in {"", known.id}, "an account that comes back is the same installation"
        place.id, place.live, place.connected_at = known.id, True, self.office.clock()
        if place.id not in self.hooks:
            self.hooks[place.id] = self.office.connectors.subscriptions.add_by_hand(
                workspace=place.workspace, installation_id=place.id, actor=ACTOR
            )

    def map(self, place: Place, thing: str, project: str, kinds: tuple[str, ...]) -> None:
        """Map a board or a space."""
        mapping = self.office.connectors.mappings.create(
            workspace=place.workspace,
            installation_id=place.id,
            resource=reference(thing),
            target=Target(kind="project", id=project),
            selector=Selector(kinds=kinds),
            actor=ACTOR,
        )
        place.mapped[thing][project] = Said(id=mapping.id, kinds=kinds)

    def report(self, workspace: str, project: str, how: str, value: str) -> None:
        """Let a project report what it saw."""
        self.office.clock.advance(60)
        host = self.office.host.partition(":")[0]
        seen = {
            "remote": {"remote_url": f"git@{host}:{value}.git"},
            "slug": {"repo_slug": value},
            "commit": {"commits": (value,)},
            "branch": {"branches": (value,)},
        }[how]
        signal = Signal(project_id=project, observed_at=self.office.clock(), **seen)  # type: ignore[arg-type]  # one of the above
        self.office.connectors.signals.report(workspace=workspace, signals=[signal])
        report = self.memory.reports[workspace]
        match how:
            case "commit":
                report.commits[project].add(value)
            case "branch":
                report.branches[project].add(value)
            case _:
                report.names[project].add((how, value))

    # what is stored

    def decided(self, told_id: str) -> Mapping[str, list[ExplainedDecision]]:
        """Return what was decided of a delivery, by workspace; nothing of workspaces that know nothing of it."""
        found = {}
        for workspace in (*self.workspaces, OPERATOR):
            try:
                explained = self.office.connectors.explain(
                    workspace=workspace, event_id=self.events.get(told_id, told_id)
                )
            except NotFoundError:
                continue
            self.events[told_id] = explained.delivery.id
            if explained.decisions:
                found[workspace] = list(explained.decisions)
        return found


def reference(thing: str) -> ResourceReference:
    """Return a board or a space as a person names it."""
    return ResourceReference(kind="space" if thing == SPACE else "board", id=thing)


def document_of(told: Told) -> dict[str, object]:
    """Return a delivery as the fake provider writes it."""
    document: dict[str, object] = {
        "account": {"id": told.account, "name": told.account},
        "at": told.moment.isoformat(),
        "subject": told.id,
    }
    if told.board:
        document["board"] = {"id": told.board, "key": told.key}
    if told.kind or told.change == "resources_added":
        document["space"] = {"id": SPACE, "key": "kitchen"}
    if told.change:
        return {**document, "change": told.change}
    return {**document, "event": told.kind, "git": {"branch": told.git.branch, "commits": list(told.git.commits)}}

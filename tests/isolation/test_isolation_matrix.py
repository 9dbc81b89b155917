"""Every method that a host has, asked by one workspace for everything there is in another.

The matrix is made from the methods themselves: one that takes a workspace is asked with each id of each table in
place of each id that it takes. A new method, parameter or table that the matrix can't place fails the tests here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final, Required, get_args, get_origin, get_type_hints

import pytest

from speckitty_connectors import (
    Callback,
    Connectors,
    ConnectorsError,
    ExternalIdentity,
    IgnoreConditions,
    KeyRing,
    MappingFile,
    PolicyScope,
    ResourceReference,
    Settings,
    Signal,
    Target,
)
from speckitty_connectors.identifiers import new_id
from testbed.office import open_office, who
from testbed.roles import workspace_role
from testbed.tenants import (
    BOARD,
    OURS,
    STATE,
    THEIRS,
    Tenants,
    deliver_to_an_app_of_their_own,
    furnish,
    without_filters,
)

PARTS_OF_THE_OPERATOR: Final = {
    "settings": "what the host configured",
    "registry": "the plugins, which are the same for every workspace",
    "store": "the database itself",
    "keys": "what seals every workspace's credentials",
}
"""Attributes that no workspace asks anything of."""

METHODS_OF_THE_OPERATOR: Final = {
    "callback_url": "text made of what it is given",
    "close": "the host's own",
    "connect_url": "text made of what it is given",
    "endpoint_url": "text made of what it is given",
    "link_url": "text made of what it is given",
    "on": "the host's own handlers",
    "on_effect": "the host's own handlers",
    "on_within": "the host's own handlers",
    "on_accepted": "the host's own",
    "parked.counts": "the operator's: of every workspace, or of the one that the filter names",
    "parked.retry_all": "the operator's: of every workspace, or of the one that the filter names",
    "pool": "serves every workspace",
    "reauthorise_url": "text made of what it is given",
    "register_app": "the operator's apps alone",
    "release": "takes the id of a process, which serves every workspace",
    "run": "takes a name that the inbox made; it tells nothing of what it runs",
    "start": "the host's own",
    "upgrade": "the host's own",
    "webhook_url": "takes an app, which names its workspace",
    "worker": "serves every workspace",
    "working": "serves every workspace",
    "apps.endpoint_of": "takes an app, which names its workspace",
    "apps.of": "takes an installation, which names its workspace",
    "inbox.accept": "the credential that verifies a delivery decides whose it is",
    "inbox.body_limit": "the manifests alone",
    "inbox.is_probe": "the manifests alone",
    "inventory.belief.most_of": "the settings alone",
    "links.ending.end": "takes links, which name their workspace",
    "links.owns": "says of a state, which only its browser has, which service continues it",
    "mappings.check_target": "the settings alone",
    "mappings.manifest": "the registry alone",
    "mappings.named": "the registry alone",
    "subscriptions.sync_due": "serves every workspace",
    "upkeep.fix": "takes a difference, which names its workspace; `upkeep.check` gives a workspace its own",
    "upkeep.run": "serves every workspace",
    "upkeep.unconnected": "shows the operator what no workspace has",
}
"""Methods that take no workspace, and why none is needed."""

USED_UP: Final = frozenset({"onboarding.complete", "onboarding.choose", "links.complete"})
"""Methods by which a state that is brought by the wrong person is used up: each refusal has a code of its own
(`test_attack_script`), and is noted for whoever began. Confined, nobody sees it in the first place."""

Value = Callable[[Tenants, str], object]

VALUES: Final[Mapping[str, Value]] = {
    "workspace": lambda _, __: OURS,
    "member": lambda _, __: "eve",
    "actor": lambda _, __: "member:eve",
    "visitor": lambda _, __: who("eve", OURS),
    "callback": lambda _, each: Callback(provider="fake", parameters={"state": each, "code": each}),
    "provider": lambda _, __: "fake",
    "state": lambda _, each: each,
    "account_ids": lambda _, each: (each,),
    "identity": lambda _, each: ExternalIdentity(id=each),
    "resource": lambda _, each: ResourceReference(kind="board", id=each, key="kitchen/menu"),
    "target": lambda _, each: Target(kind="project", id=each),
    "conditions": lambda _, __: IgnoreConditions(key="*"),
    "signals": lambda _, each: [Signal(project_id=each)],
    "token": lambda _, __: "a token that eve made",
    "file": lambda _, __: MappingFile(),
    "fields": lambda _, __: {"muted_kinds": ["star"]},
    "scope": lambda _, each: PolicyScope(workspace=OURS, provider="fake", installation_id=each),
    "reason": lambda _, __: "curious",
    "automatic": lambda _, __: False,
    "before": lambda tenants, __: tenants.store.now(),
    "until": lambda tenants, __: tenants.store.now(),
    "client_id": lambda _, __: "the app of eve",
    "client_secret": lambda _, __: "the client secret of eve",
}
"""What stands for a parameter that a method needs; one whose name ends in ``_id`` is the id that is tried."""


def the_id_itself(_: Tenants, each: str) -> object:
    """Return the id that is tried."""
    return each


def surface() -> dict[str, Callable[..., Any]]:
    """Return every public method of `Connectors`, and of all that its public attributes lead to."""

    def methods(owner: object, prefix: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        for name in dir(type(owner)):
            if not name.startswith("_") and callable(getattr(type(owner), name)):
                yield f"{prefix}{name}", getattr(type(owner), name)
        for name, part in getattr(owner, "__dict__", {}).items():
            is_ours = type(part).__module__.startswith("speckitty_connectors")
            if is_ours and not name.startswith("_") and f"{prefix}{name}" not in PARTS_OF_THE_OPERATOR:
                yield from methods(part, f"{prefix}{name}.")

    with Connectors(Settings(database_url="sqlite://", keys={"2026": KeyRing.new_key()})) as connectors:
        assert PARTS_OF_THE_OPERATOR.keys() <= vars(connectors).keys()
        return dict(methods(connectors, ""))


SURFACE: Final = surface()
ASKED: Final = {
    name: method
    for name, method in SURFACE.items()
    if {"workspace", "scope", "visitor"} & inspect.signature(method).parameters.keys()
}


def test_every_method_has_its_place_in_the_matrix() -> None:
    """A method takes a workspace and is asked below, or takes none and is known for the reason why."""
    assert SURFACE.keys() - ASKED.keys() == METHODS_OF_THE_OPERATOR.keys()


def declared(method: Callable[..., Any]) -> Iterator[tuple[str, inspect.Parameter]]:
    """Yield the parameters of a method by name, those of a typed dictionary of keywords too."""
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            yield name, parameter
            continue
        (keywords,) = get_args(get_type_hints(method)[name])
        for keyword, kind in get_type_hints(keywords, include_extras=True).items():
            if get_origin(kind) is Required:
                yield keyword, inspect.Parameter(keyword, inspect.Parameter.KEYWORD_ONLY)


def parameters_of(method: Callable[..., Any]) -> dict[str, bool]:
    """Return the parameters to give, and whether each is about what is tried: all that are needed, and all ids."""
    about = {"callback", "state", "account_ids", "identity", "resource", "target", "signals", "scope"}
    found = {}
    for name, parameter in declared(method):
        is_id = name.endswith("_id") and name not in VALUES
        is_given = name in {"workspace", "identity"} or parameter.default is parameter.empty
        if name != "self" and (is_id or is_given):
            found[name] = is_id or name in about
    return found


def tried(name: str, ids: Mapping[str, str]) -> list[str]:
    """Return the ids to try a method with; only one where it takes none."""
    values = list(dict.fromkeys([*ids.values(), BOARD]))
    return values if any(parameters_of(ASKED[name]).values()) else values[:1]


def ask(tenants: Tenants, name: str, each: str) -> tuple[bool, str]:
    """Return whether eve was answered, and with what; the id that she tried stands as an ellipsis."""
    owner: Any = tenants.office.connectors
    *path, method = name.split(".")
    for step in path:
        owner = getattr(owner, step)
    with ExitStack() as stack:
        values = {
            parameter: stack.enter_context(tenants.store.transaction())
            if parameter == "connection"
            else VALUES.get(parameter, the_id_itself)(tenants, each)
            for parameter in parameters_of(ASKED[name])
        }
        try:
            answer = getattr(owner, method)(**values)
            shown = repr(list(answer) if isinstance(answer, Iterator) else answer)
        except ConnectorsError as error:
            return False, f"{error.code}: {error}".replace(each, "…")
        return True, shown.replace(each, "…")


def violations(tenants: Tenants, name: str, *, by_the_database: bool = False) -> list[str]:
    """Return how what eve is told or does differs from what she would of ids that don't exist."""
    before, found = tenants.rows(), []
    ids = dict(tenants.ids)
    if name in USED_UP and not by_the_database:
        del ids[STATE]
    with ExitStack() as stack:
        if by_the_database:
            stack.enter_context(tenants.office.connectors.confined(OURS))
            stack.enter_context(without_filters(tenants.store))
        expected = ask(tenants, name, new_id())
        for each in tried(name, ids):
            answered, shown = ask(tenants, name, each)
            if answered != expected[0] or (not answered and shown != expected[1]):
                found.append(f"{shown!r} instead of {expected[1]!r}")
            found += [f"{each!r} makes it tell {secret!r}" for secret in tenants.secrets if secret in shown]
    after = tenants.rows()
    return found + [f"changed {table}" for table in before if after[table] != before[table]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def tenants(request: pytest.FixtureRequest) -> Iterator[Tenants]:
    """The two workspaces, kept apart by the application alone: once in SQLite, once in PostgreSQL."""
    with open_office(request.getfixturevalue(f"own_{request.param}_url")) as office:
        yield furnish(office)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_what_is_foreign_is_as_good_as_missing(tenants: Tenants, name: str) -> None:
    """Nothing of another workspace is read or written by any id, and the error is that of an id that isn't."""
    assert violations(tenants, name) == []


@pytest.mark.parametrize("name", sorted(USED_UP))
def test_a_state_of_somebody_else_is_refused_and_used_up(database_url: str, name: str) -> None:
    """It gives nothing away, and changes nothing but itself, its secrets, and what the audit tells its owner."""
    with open_office(database_url) as office:
        tenants = furnish(office)
        before = tenants.rows()
        answered, shown = ask(tenants, name, tenants.ids[STATE])
        assert not answered
        assert "onboarding_refused" in shown
        assert [secret for secret in tenants.secrets if secret in shown] == []
        changed = {table for table, rows in tenants.rows().items() if rows != before[table]}
        assert changed == {"conversations", "credentials", "audit"}


def test_a_delivery_of_others_hides_none_of_ours(database_url: str) -> None:
    """Who lets their own provider post under an id that we know leaves our explanation as it was."""
    with open_office(database_url) as office:
        tenants = furnish(office)
        delivery_id = tenants.ids["inbox.delivery_id"]
        before = office.connectors.explain(workspace=THEIRS, event_id=delivery_id).lines()
        deliver_to_an_app_of_their_own(office, workspace=OURS, delivery_id=delivery_id)
        assert office.connectors.explain(workspace=THEIRS, event_id=delivery_id).lines() == before


@pytest.fixture(scope="module")
def held(held_postgresql_url: str) -> Iterator[Tenants]:
    """The two workspaces in a PostgreSQL that holds them by row-level security."""
    with (
        workspace_role(held_postgresql_url) as role,
        open_office(held_postgresql_url, workspace_role=role) as office,
    ):
        office.connectors.start()
        yield furnish(office)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_the_database_alone_keeps_workspaces_apart(held: Tenants, name: str) -> None:
    """With every condition on the workspace taken out of the statements, row-level security holds the matrix."""
    assert violations(held, name, by_the_database=True) == []


def test_without_either_workspaces_are_open(held: Tenants) -> None:
    """Without the conditions and unconfined, eve gets at what is mona's: the matrix would notice."""
    with without_filters(held.store):
        assert ask(held, "installation", held.ids["installations.id"])[0]
        assert ask(held, "mappings.get", held.ids["resource_mappings.id"])[0]
        assert "mona" in ask(held, "links.list", held.ids["installations.id"])[1]

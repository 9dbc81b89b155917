"""Whole batches: how many statements they take, and what one delivery that can't be decided does to the others."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType

import pytest

from speckitty_connectors import Resource, Signal
from speckitty_connectors.routing import batch, decide, explicit, inference, router
from speckitty_connectors.routing.batch import CaseBatch
from speckitty_connectors.routing.review import screening
from speckitty_connectors.routing.types import Conclusion, Stage
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, card
from testbed.layers import add_installation, add_resources
from testbed.statements import counted

BATCH = 50
BOARDS = 10
MOST_STATEMENTS = 12
"""Statements that route a batch of mapped events, the claim included."""

Documents = Callable[[int], Mapping[str, object]]


def tenants(store: Store, inbound: Inbound) -> None:
    """Connect an account for each delivery of a batch, in a workspace of its own; half of the boards are mapped."""
    for number in range(BATCH):
        here = add_installation(store, f"w{number}", account_id=f"a{number}")
        boards = (Resource(kind="board", id=f"b{n}", key=f"kitchen/b{n}") for n in range(BOARDS))
        add_resources(store, here, *boards)
        for board in range(0, BOARDS, 2):
            inbound.map(here, f"b{board}", f"p{board}")


def mapped(number: int) -> Mapping[str, object]:
    """Return an event of a board that is mapped, each of another workspace."""
    return card(f"b{number % 5 * 2}", f"a{number}", fingerprint=f"change {number}")


def unmapped(number: int) -> Mapping[str, object]:
    """Return an event of one workspace's board that nothing is mapped for."""
    return card(f"b{number % 5 * 2 + 1}", "a0")


@pytest.mark.parametrize("document", [mapped, unmapped])
def test_a_batch_takes_as_many_statements_as_one_event(store: Store, document: Documents) -> None:
    """Fifty events, of as many workspaces where they are mapped, are routed in as many statements as one."""
    inbound = Inbound.on(store)
    tenants(store, inbound)
    endpoint, taken = inbound.endpoint(), []
    for size in (BATCH, 1, BATCH):
        for number in range(size):
            inbound.deliver(endpoint, document(number))
        with counted(store) as statements:
            assert inbound.router().route_due() == size
        taken.append(len(statements))
    first, one, fifty = taken
    assert one == fifty
    assert document is unmapped or fifty <= first <= MOST_STATEMENTS


@pytest.mark.parametrize("module", [batch, decide, explicit, inference, screening])
def test_what_decides_a_batch_asks_nobody(module: ModuleType) -> None:
    """It has no connection, clock, chance or plugin: the same batch is decided in the same way for ever."""
    tree = ast.parse(inspect.getsource(module))
    names = [each for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    imported = {alias.name for each in names for alias in each.names} | {
        each.module for each in names if isinstance(each, ast.ImportFrom) and each.module
    }
    words = {word for name in imported for word in name.split(".")}
    assert words & {"sqlalchemy", "time", "random", "secrets", "new_id", "utc_now", "registry", "binding"} == set()


def test_one_that_cannot_be_decided_harms_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a batch fails, each delivery is decided alone, and only the one that fails comes again."""

    def poisoned(poison: CaseBatch) -> list[Conclusion]:
        if any(case.event and case.event.kind == "poison" for case in poison.cases):
            raise RuntimeError
        return decide.decide(poison)

    inbound = Inbound.on(store)
    add_installation(store)
    endpoint = inbound.endpoint()
    ids = [inbound.deliver(endpoint, card(event=kind)) for kind in ("card", "poison", "card")]
    monkeypatch.setattr(router, "decide", poisoned)
    inbound.router().route_due()
    assert [inbound.stored(event_id).state for event_id in ids] == ["done", "pending", "done"]
    assert inbound.decisions(ids[1]) == []
    monkeypatch.undo()
    inbound.router().route_due()
    assert inbound.stored(ids[1]).state == "done"


def test_a_new_name_is_known_to_the_batch_that_brings_it(store: Store) -> None:
    """A known board that an event calls by another key is looked for by that key in the signals at once."""
    inbound = Inbound.on(store)
    here = add_installation(store)
    add_resources(store, here, Resource(kind="board", id="b1", key="kitchen/b1"))
    signal = Signal(project_id="apollo", remote_url="https://fake.example/kitchen/menu", commits=("ab" * 20,))
    Signals(store).report(workspace="w1", signals=[signal])
    renamed = {"board": {"id": "b1", "key": "kitchen/menu"}, "git": {"commits": ["ab" * 20]}}
    event_id = inbound.deliver(inbound.endpoint(), card() | renamed)
    inbound.router().route_due()
    decision = inbound.decision(event_id)
    assert (decision.stage, [routed.target.id for routed in decision.targets]) == (Stage.INFERRED, ["apollo"])

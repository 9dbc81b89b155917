"""What a handler is told of the policy, and what a policy stops at the last moment."""

from __future__ import annotations

import pytest
from attrs import evolve
from sqlalchemy import select

from speckitty_connectors import Dispatch, PolicyScope, Resource
from speckitty_connectors.contract.fake import FakePolicy
from speckitty_connectors.dispatch.handlers import Handlers
from speckitty_connectors.dispatch.worker import Worker
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.policy.service import Policies
from speckitty_connectors.policy.types import Level
from speckitty_connectors.providers.suggestions import Target
from speckitty_connectors.routing.router import Router
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, card
from testbed.layers import add_installation, add_resources

WORKSPACE = PolicyScope(workspace="w1", provider="fake")
APOLLO = evolve(WORKSPACE, project_id="apollo")
MONA = "member:mona"


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees a board."""
    made = add_installation(store)
    add_resources(store, made, Resource(kind="board", id="b1", key="kitchen/b1"))
    return made


@pytest.fixture
def inbound(store: Store, installation: Installation) -> Inbound:
    """An inbox in which a card of the mapped board has been decided, and waits to be handed over."""
    made = Inbound.on(store)
    made.map(installation, "b1", "apollo")
    made.map(installation, "b1", Target(kind="feed", id="all"))
    made.deliver(made.endpoint(), card())
    assert made.router().route_due() == 1
    return made


@pytest.fixture
def policies(store: Store, inbound: Inbound) -> Policies:
    """What is said of policies."""
    return Policies(store, inbound.registry)


def handed_over(store: Store, router: Router) -> dict[str, Dispatch]:
    """Let a worker hand over what waits; return what the handler got, by kind of target."""
    handlers, taken = Handlers(), dict[str, Dispatch]()
    handlers.in_transaction(lambda dispatch, _connection: taken.update({dispatch.target.kind: dispatch}))
    worker = Worker(store, router, handlers)
    while worker.run_once():
        pass
    return taken


def test_a_dispatch_says_what_holds_for_its_target_now(store: Store, inbound: Inbound, policies: Policies) -> None:
    """A project has its exceptions, also those that were made after the decision; a feed has the defaults."""
    policies.set(WORKSPACE, fields={"labels": ["w"]}, actor=MONA)
    policies.set(APOLLO, fields={"digest_hours": None}, actor=MONA)
    taken = handed_over(store, inbound.router())
    assert taken["project"].policy.own == FakePolicy(digest_hours=None, labels=("w",))
    assert taken["feed"].policy.own == FakePolicy(labels=("w",))
    source = taken["project"].policy.statements["digest_hours"].source
    assert source is not None
    assert (source.level, source.actor) == (Level.PROJECT, MONA)


def test_what_its_project_mutes_in_the_meantime_is_not_handed_over(
    store: Store, inbound: Inbound, policies: Policies
) -> None:
    """The last word is that of the moment of the handing over, and it is kept why."""
    policies.set(APOLLO, fields={"muted_kinds": ["card"]}, actor=MONA)
    assert set(handed_over(store, inbound.router())) == {"feed"}
    with store.reading() as connection:
        rows = connection.execute(select(dispatches).where(dispatches.c.target_kind == "project")).mappings()
        (row,) = rows
    assert row["state"] == "revoked"
    assert 'muted_kinds = ["card"] (project, by member:mona at' in row["last_error"]


def test_without_its_plugin_a_dispatch_has_what_core_knows(
    store: Store, inbound: Inbound, policies: Policies
) -> None:
    """What was decided while the plugin was there is handed over after it was uninstalled."""
    policies.set(APOLLO, fields={"digest_hours": 1, "doctrine_mode": "split"}, actor=MONA)
    policy = handed_over(store, Router(store, Registry(entry_points=())))["project"].policy
    assert policy.own is None
    assert policy.core.doctrine_mode == "split_ownership"
    assert {name: said.value for name, said in policy.passed_over.items()} == {"digest_hours": 1}

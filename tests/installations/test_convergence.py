"""What the provider tells of, told in any order and any number of times, ends in the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from speckitty_connectors import Account, Change, Lifecycle, Resource, ResourceReference, Target
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.installations import lifecycle
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.lifecycle import update_states
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.resources.tables import resource_keys, resources
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, add_resources, installation_of

BOARDS = ("b1", "b2")
SHOWN = ("kind", "external_id", "key", "status", "archived", "private", "successor_id", "last_seen")
NAMED = (
    Change.RESOURCES_ADDED,
    Change.RESOURCES_REMOVED,
    Change.RESOURCE_DELETED,
    Change.RESOURCE_ARCHIVED,
    Change.RESOURCE_RESTORED,
    Change.RESOURCE_RENAMED,
    Change.RESOURCE_TRANSFERRED,
)


def day(number: int) -> datetime:
    return MOMENT + timedelta(days=number)


days = st.integers(1, 6).map(day)
boards = st.builds(
    ResourceReference,
    kind=st.just("board"),
    id=st.sampled_from([*BOARDS, "b3"]),
    key=st.sampled_from(["", "menu", "carte", "orders"]),
)
owners = st.sampled_from(
    [Account(id="7", name="seven"), Account(id="8", name="eight"), Account(id="7", name="Seven")]
)


@st.composite
def changes(draw: st.DrawFn) -> Lifecycle:
    """Return any change that a provider may tell of, at a moment that others may share."""
    moment = draw(days)
    kind = draw(st.sampled_from(["resource", "visibility", "installation", "account", "scopes"]))
    named = (draw(boards),)
    if kind == "resource":
        change = draw(st.sampled_from(NAMED))
        account = draw(owners) if change is Change.RESOURCE_TRANSFERRED else None
        return Lifecycle(change=change, resources=named, account=account, occurred_at=moment)
    if kind == "visibility":
        return Lifecycle(
            change=Change.VISIBILITY_CHANGED, resources=named, private=draw(st.booleans()), occurred_at=moment
        )
    if kind == "account":
        return Lifecycle(change=Change.ACCOUNT_RENAMED, account=draw(owners), occurred_at=moment)
    if kind == "scopes":
        scopes = draw(st.sampled_from([("boards:read",), ("boards:read", "cards:write")]))
        return Lifecycle(change=Change.SCOPES_CHANGED, scopes=scopes, occurred_at=moment)
    status = draw(st.sampled_from([Change.SUSPENDED, Change.RESUMED, Change.HOOK_REMOVED]))
    return Lifecycle(change=status, occurred_at=moment)


REKEYINGS = st.sampled_from(
    [
        (),
        (("b1", "c1", 3),),
        (("b1", "c1", 3), ("c1", "d1", 4)),
        (("b1", "c1", 2), ("b2", "c2", 5)),
    ]
)
"""Former id, new id, day: a provider never gives an id back."""


def rekeyed(former: str, new: str, number: int) -> Lifecycle:
    resource = ResourceReference(kind="board", id=new)
    return Lifecycle(
        change=Change.RESOURCE_REKEYED, resources=(resource,), former=(former,), occurred_at=day(number)
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Lifecycle], list[Lifecycle]]:
    """Return what happened, and the same in another order with repeats."""
    happened = draw(st.lists(changes(), min_size=1, max_size=8))
    happened += [rekeyed(*each) for each in draw(REKEYINGS)]
    repeats = draw(st.lists(st.sampled_from(happened), max_size=4))
    return happened, draw(st.permutations(happened + repeats))


def end(store: Store, told: Sequence[Lifecycle]) -> Mapping[str, object]:
    """Tell a fresh installation, with both boards mapped, and return what is left of everything."""
    installation = add_installation(store, workspace=new_id(), account_id="7")
    add_resources(store, installation, *(Resource(kind="board", id=each, key=each) for each in BOARDS))
    for board in BOARDS:
        Mappings(store).create(
            workspace=installation.workspace,
            installation_id=installation.id,
            resource=ResourceReference(kind="board", id=board),
            target=Target(kind="project", id=board),
            actor="member:mona",
        )
    for change in told:
        with store.transaction() as connection:
            lifecycle.apply(
                connection,
                installation=installation,
                lifecycle=change,
                now=MOMENT + timedelta(days=30),
                follow=update_states,
            )
    return rows_of(store, installation)


def rows_of(store: Store, installation: Installation) -> Mapping[str, object]:
    """Return installation, resources with their keys, and mappings, without our ids and the time of writing."""
    known = installation_of(store, installation)
    with store.reading() as connection:
        rows = connection.execute(select(resources).where(resources.c.workspace_id == known.workspace)).all()
        keys = connection.execute(
            select(resource_keys).where(resource_keys.c.workspace_id == known.workspace)
        ).all()
    named = {row.id: row.external_id for row in rows}
    return {
        "installation": (known.status, known.status_at, known.account_name, known.scopes),
        "resources": sorted(tuple(getattr(row, name) for name in SHOWN) for row in rows),
        "keys": sorted((named[row.resource_id], row.key, row.first_seen, row.last_seen) for row in keys),
        "mappings": sorted(
            (each.target.id, each.resource_external_id, each.state.value, each.state_reason)
            for each in Mappings(store).list(workspace=known.workspace)
        ),
    }


@pytest.mark.soak
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(histories())
def test_any_order_with_repeats_ends_in_the_same_rows(
    store: Store, history: tuple[list[Lifecycle], list[Lifecycle]]
) -> None:
    """Renames, transfers, archives, deletions, new ids, visibility, access and status: told as they come."""
    happened, told = history
    assert end(store, told) == end(store, happened)


def test_each_kind_of_change_leaves_something_behind(store: Store) -> None:
    """The property above is about rows that changes really change."""
    unchanged = end(store, [])
    menu = (ResourceReference(kind="board", id="b1", key="carte"),)
    told = [
        Lifecycle(change=change, resources=menu, occurred_at=day(2)) for change in NAMED if change not in RESTORING
    ]
    told += [
        Lifecycle(change=Change.VISIBILITY_CHANGED, resources=menu, private=True, occurred_at=day(2)),
        Lifecycle(change=Change.SUSPENDED, occurred_at=day(2)),
        Lifecycle(change=Change.SCOPES_CHANGED, scopes=("boards:read",), occurred_at=day(2)),
        Lifecycle(change=Change.ACCOUNT_RENAMED, account=Account(id="7", name="Seven"), occurred_at=day(2)),
        rekeyed("b1", "c1", 2),
    ]
    for change in told:
        assert end(store, [change]) != unchanged, change


RESTORING = {Change.RESOURCES_ADDED, Change.RESOURCE_RESTORED}
"""What says of a board that is there only that it is there."""

"""`retry`: what was set aside after too many failures is tried again, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, Table, select, update

from speckitty_connectors import Dispatch, NotFoundError
from speckitty_connectors.cli import commands
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.claims import DONE, PARKED, PENDING
from testbed.desk import ACCOUNT
from testbed.office import KEY, Office, open_office

CARD = {"event": "card", "account": ACCOUNT, "installation": "42", "board": {"id": "b1", "key": "kitchen/menu"}}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A host with one mapped board."""
    with open_office(database_url) as opened:
        made = opened.connect(installation="42")
        opened.connectors.inventory.sync("w1", made.id)
        opened.map(made, "b1", "apollo")
        yield opened


def states(office: Office, table: Table) -> list[str]:
    """Return the states of all rows of a queue."""
    with office.connectors.store.reading() as connection:
        return list(connection.execute(select(table.c.state).order_by(table.c.id)).scalars())


def park(office: Office, table: Table) -> str:
    """Set aside what is in a queue, as a worker does in the end; return its id."""
    with office.connectors.store.transaction() as connection:
        return str(connection.execute(update(table).values(state=PARKED).returning(table.c.id)).scalar_one())


def test_a_parked_delivery_is_routed_after_all(office: Office) -> None:
    """The operator's command makes it due; the worker's next turn decides it, and the audit says who asked."""
    office.accept(CARD, delivery_id="d1")
    parked = park(office, inbox)
    office.work()
    assert states(office, dispatches) == []
    shown = run(office, "retry", parked, "--actor", "member:olga")
    assert (shown.exit_code, shown.output) == (0, f"{parked} is due again\n")
    office.work()
    assert (states(office, inbox), len(states(office, dispatches))) == ([DONE], 1)
    (entry,) = office.connectors.audit.find("", verb="delivery.retried")
    assert (entry.entity_id, entry.actor) == (parked, "member:olga")


def test_a_parked_dispatch_is_handed_over_after_all(office: Office) -> None:
    """The handler gets it once it works again, and only once."""
    got: list[str] = []

    def handle(dispatch: Dispatch, connection: Connection) -> None:
        got.append(dispatch.id)

    office.post(CARD)
    parked = park(office, dispatches)
    office.connectors.on("project")(handle)
    for _ in range(2):
        office.work()
        assert got == []
    office.connectors.parked.retry(workspace="w1", work_id=parked, actor="operator")
    office.work()
    assert got == [parked]
    with pytest.raises(NotFoundError, match="nothing of that id is parked"):
        office.connectors.parked.retry(workspace="w1", work_id=parked, actor="operator")


def run(office: Office, *arguments: str, answer: str = "") -> Result:
    """Run the operator's command on the office's database."""
    environment = {
        "SPECKITTY_CONNECTORS_DATABASE_URL": office.connectors.settings.database_url,
        "SPECKITTY_CONNECTORS_KEYS": f"2026:{KEY.reveal()}",
    }
    return CliRunner(env=environment).invoke(commands, arguments, input=answer)


def test_all_that_is_parked_is_tried_again(office: Office) -> None:
    """The command counts first and asks; then all of it is due, and the audit has an entry for each."""
    first = office.post(CARD)
    for number in range(2):
        office.post({**CARD, "number": number})
    office.accept({**CARD, "number": 3}, delivery_id="d1")
    with office.connectors.store.transaction() as connection:
        connection.execute(update(inbox).where(inbox.c.delivery_id == "d1").values(state=PARKED))
        connection.execute(update(dispatches).values(state=PARKED))
    refused = run(office, "retry", "--all", answer="n\n")
    assert refused.exit_code == 1
    assert states(office, dispatches) == [PARKED] * 3
    shown = run(office, "retry", "--all", answer="y\n")
    assert (shown.exit_code, shown.output.splitlines()[1]) == (
        0,
        f"3 dispatches to project of workspace w1, from fake, since event {first}",
    )
    assert shown.output.endswith("4 of 4 are due again\n")
    assert (states(office, inbox), states(office, dispatches)) == ([DONE] * 3 + [PENDING], [PENDING] * 3)
    assert len(office.connectors.audit.find("w1", verb="dispatch.retried")) == 3
    again = run(office, "retry", "--all", "--yes")
    assert (again.exit_code, again.output) == (0, "nothing of that is parked\n")


@pytest.mark.parametrize(
    ("options", "dispatched", "delivered"),
    [
        (["--workspace", "w1"], PENDING, PARKED),
        (["--workspace", "w2"], PARKED, PARKED),
        (["--workspace", ""], PARKED, PENDING),
        (["--provider", "fake"], PENDING, PENDING),
        (["--provider", "github"], PARKED, PARKED),
        (["--target-kind", "project"], PENDING, PARKED),
        (["--target-kind", "feed"], PARKED, PARKED),
        (["--since", "2026-01-01"], PENDING, PENDING),
        (["--since", "2026-01-02"], PARKED, PARKED),
    ],
)
def test_filters_narrow_what_is_tried_again(
    office: Office, options: list[str], dispatched: str, delivered: str
) -> None:
    """Workspace, provider, kind of target and time narrow what is meant; what doesn't match stays parked."""
    office.post(CARD)
    office.accept(CARD, delivery_id="d1")
    with office.connectors.store.transaction() as connection:
        connection.execute(update(inbox).where(inbox.c.delivery_id == "d1").values(state=PARKED))
        connection.execute(update(dispatches).values(state=PARKED))
    assert run(office, "retry", "--all", "--yes", *options).exit_code == 0
    assert (states(office, dispatches), states(office, inbox)) == ([dispatched], [DONE, delivered])


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["1", "--provider", "fake"]])
def test_one_id_or_all_is_named(office: Office, arguments: list[str]) -> None:
    """Without an id or --all, with both, or with an id and a filter the command says what it takes."""
    shown = run(office, "retry", *arguments)
    assert shown.exit_code == 2
    assert "name one ID, or --all" in shown.output


def test_only_its_own_workspace_tries_it_again(office: Office) -> None:
    """For another workspace, what is parked doesn't exist."""
    office.post(CARD)
    parked = park(office, dispatches)
    with pytest.raises(NotFoundError):
        office.connectors.parked.retry(workspace="w2", work_id=parked, actor="member:eve")
    assert states(office, dispatches) == [PARKED]

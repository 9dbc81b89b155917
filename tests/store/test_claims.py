"""Claims on both databases: one worker at a time, the next one when that is gone, and no row for ever."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import MetaData, Table, event, insert, select, text, update

from speckitty_connectors.store.claims import Claim, ClaimQueue
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.metadata import claim_columns, identifier, metadata, workspace_column

ROWS = 120

CLAIM_ALL = """
import sys
from sqlalchemy import MetaData, Table
from speckitty_connectors.store.claims import ClaimQueue
from speckitty_connectors.store.engine import Store
store = Store(sys.argv[1], wait_seconds=30)
with store.reading() as connection:
    queue = ClaimQueue(Table("work", MetaData(), autoload_with=connection))
print("ready", flush=True)
sys.stdin.readline()
while True:
    with store.transaction() as connection:
        claims = queue.claim(connection, limit=3)
    if not claims:
        break
    for claim in claims:
        print(claim.id)
store.close()
"""


@pytest.fixture
def work(store: Store) -> Iterator[Table]:
    """A table of work, made for one test."""
    table = Table(
        "work",
        MetaData(naming_convention=metadata.naming_convention),
        workspace_column(),
        identifier("id", primary_key=True),
        *claim_columns(),
    )
    with store.transaction() as connection:
        table.create(connection)
    yield table
    with store.transaction() as connection:
        table.drop(connection)


@pytest.fixture
def queue(work: Table) -> ClaimQueue:
    """A queue whose failed rows are due again at once."""
    return ClaimQueue(work, max_attempts=3, first_delay_seconds=0)


def add(store: Store, queue: ClaimQueue, *ids: str, **values: Any) -> None:
    """Add rows of workspace ``w``, due in this order."""
    rows = [{"workspace_id": "w", "id": id_, **values} for id_ in ids]
    with store.transaction() as connection:
        connection.execute(insert(queue.table), rows)


def claim(store: Store, queue: ClaimQueue, limit: int = 10) -> list[Claim]:
    """Claim and commit."""
    with store.transaction() as connection:
        return queue.claim(connection, limit=limit)


def end_leases(store: Store, queue: ClaimQueue) -> None:
    """Let the time of every lease and pause be over."""
    with store.transaction() as connection:
        connection.execute(update(queue.table).values(not_before=0))


def row(store: Store, queue: ClaimQueue, id_: str) -> dict[str, Any]:
    """Return a row as it is kept."""
    with store.reading() as connection:
        return dict(connection.execute(select(queue.table).filter_by(id=id_)).mappings().one())


def ids(claims: list[Claim]) -> list[str]:
    """Return whose claims they are."""
    return [claim.id for claim in claims]


def test_the_oldest_rows_are_claimed_first_and_only_once(store: Store, queue: ClaimQueue) -> None:
    """Each claim takes the oldest rows that nobody has, up to its limit."""
    add(store, queue, "a", "b", "c", not_before=1)
    first = claim(store, queue, limit=2)
    assert first == [Claim(workspace="w", id=id_, generation=1, attempts=1) for id_ in ("a", "b")]
    assert ids(claim(store, queue)) == ["c"]
    assert claim(store, queue) == []


def test_a_new_row_is_due_at_once(store: Store, queue: ClaimQueue) -> None:
    """A row is due from the moment it was stored, by the database's clock."""
    add(store, queue, "new")
    assert ids(claim(store, queue)) == ["new"]


def test_a_row_that_waited_longer_comes_before_a_newer_one(store: Store, queue: ClaimQueue) -> None:
    """A retried row whose pause is over isn't overtaken by all that arrives meanwhile."""
    add(store, queue, "a-new")
    add(store, queue, "z-retried", not_before=1)
    assert ids(claim(store, queue, limit=1)) == ["z-retried"]


def test_a_row_whose_time_has_not_come_is_left(store: Store, queue: ClaimQueue) -> None:
    """A row that is due in the future isn't claimed."""
    add(store, queue, "later", not_before=2**60)
    assert claim(store, queue) == []


def test_a_finished_row_is_never_claimed_again(store: Store, queue: ClaimQueue) -> None:
    """A finished row keeps what it was finished with and stays done, also when its lease would have ended."""
    add(store, queue, "a")
    (mine,) = claim(store, queue)
    with store.transaction() as connection:
        assert queue.hold(connection, mine)
        assert queue.finish(connection, mine, attempts=7)
    end_leases(store, queue)
    assert claim(store, queue) == []
    assert (row(store, queue, "a")["state"], row(store, queue, "a")["attempts"]) == ("done", 7)


def test_a_worker_that_was_taken_over_can_change_nothing(store: Store, queue: ClaimQueue) -> None:
    """After a takeover the first worker's claim holds, finishes, retries and parks nothing; the second's does."""
    add(store, queue, "a")
    (paused,) = claim(store, queue)
    end_leases(store, queue)
    (successor,) = claim(store, queue)
    assert (successor.generation, successor.attempts) == (paused.generation + 1, 2)
    with store.transaction() as connection:
        assert not queue.hold(connection, paused)
        assert not queue.finish(connection, paused)
        assert not queue.retry(connection, paused, error="late")
        assert not queue.park(connection, paused, error="late")
        assert queue.hold(connection, successor)
        assert queue.finish(connection, successor)
        assert not queue.finish(connection, successor)


def test_a_failed_row_waits_before_its_next_attempt(store: Store, work: Table) -> None:
    """A retried row isn't due before its pause is over, and then comes with its next attempt."""
    queue = ClaimQueue(work, first_delay_seconds=3600)
    add(store, queue, "a")
    (mine,) = claim(store, queue)
    with store.transaction() as connection:
        assert queue.retry(connection, mine, error="no answer")
    assert row(store, queue, "a")["last_error"] == "no answer"
    assert claim(store, queue) == []
    end_leases(store, queue)
    assert [claimed.attempts for claimed in claim(store, queue)] == [2]


def test_a_row_that_fails_each_time_is_parked(store: Store, queue: ClaimQueue) -> None:
    """The last attempt's failure parks the row with its error, and no further claim takes it."""
    add(store, queue, "poison")
    for attempt in range(1, 4):
        (mine,) = claim(store, queue)
        assert mine.attempts == attempt
        with store.transaction() as connection:
            assert queue.retry(connection, mine, error=f"failure {attempt}")
    end_leases(store, queue)
    assert claim(store, queue) == []
    parked = row(store, queue, "poison")
    assert (parked["state"], parked["attempts"], parked["last_error"]) == ("parked", 3, "failure 3")


def test_a_row_that_kills_its_workers_is_parked(store: Store, queue: ClaimQueue) -> None:
    """A row whose workers all ended without a report isn't started once more; its last worker is fenced off."""
    add(store, queue, "killer")
    starts: list[Claim] = []
    for _ in range(3):
        starts += claim(store, queue)
        end_leases(store, queue)
    assert claim(store, queue) == []
    parked = row(store, queue, "killer")
    assert (parked["state"], parked["attempts"]) == ("parked", 3)
    assert "without a report" in parked["last_error"]
    with store.transaction() as connection:
        assert not queue.finish(connection, starts[-1])


def test_many_rows_to_park_do_not_hide_the_rows_behind_them(store: Store, queue: ClaimQueue) -> None:
    """A claim that finds only spent rows parks them and goes on to those that can run."""
    add(store, queue, "a", "b", "c", "d", "e", attempts=3, not_before=1)
    add(store, queue, "f")
    assert ids(claim(store, queue, limit=2)) == ["f"]


def test_a_parked_row_runs_again_when_rearmed(store: Store, queue: ClaimQueue) -> None:
    """A rearmed row has all its attempts again; its generation goes on, so that old claims stay void."""
    add(store, queue, "a")
    (mine,) = claim(store, queue)
    with store.transaction() as connection:
        assert queue.park(connection, mine, error="no such project")
        assert queue.rearm(connection, "w", "a")
    assert claim(store, queue) == [Claim(workspace="w", id="a", generation=2, attempts=1)]


@pytest.mark.parametrize("state", ["pending", "running", "done"])
def test_only_a_parked_row_is_rearmed(store: Store, queue: ClaimQueue, state: str) -> None:
    """A row that waits, runs or is done stays as it is."""
    add(store, queue, "a", state=state, attempts=2)
    with store.transaction() as connection:
        assert not queue.rearm(connection, "w", "a")
    assert (row(store, queue, "a")["state"], row(store, queue, "a")["attempts"]) == (state, 2)


def test_another_workspace_rearms_nothing(store: Store, queue: ClaimQueue) -> None:
    """A row is found in its own workspace only."""
    add(store, queue, "a", state="parked")
    with store.transaction() as connection:
        assert not queue.rearm(connection, "other", "a")
    assert row(store, queue, "a")["state"] == "parked"


def test_a_claim_does_not_wait_for_another_one(postgresql_url: str) -> None:
    """In PostgreSQL rows that an open transaction claims or holds are passed over, whatever their lease."""
    store = Store(postgresql_url)
    table = Table("work", MetaData(), workspace_column(), identifier("id", primary_key=True), *claim_columns())
    queue = ClaimQueue(table)
    with store.transaction() as connection:
        table.create(connection)
    add(store, queue, "a", "b", "c", not_before=1)
    (mine,) = claim(store, queue, limit=1)
    end_leases(store, queue)
    with store.transaction() as holding, store.transaction() as claiming:
        assert queue.hold(holding, mine)
        assert ids(queue.claim(claiming, limit=1)) == ["b"]
        assert ids(claim(store, queue)) == ["c"]
    with store.transaction() as connection:
        table.drop(connection)
    store.close()


def test_threads_share_the_rows_between_them(database_url: str, work: Table) -> None:
    """Threads of one store that claim at once get each row exactly once."""
    store, queue = Store(database_url, wait_seconds=30), ClaimQueue(work)
    add(store, queue, *(f"{number:03}" for number in range(ROWS)))

    def claim_all(_: int) -> list[str]:
        taken: list[str] = []
        while claims := claim(store, queue, limit=3):
            taken += ids(claims)
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = [id_ for part in threads.map(claim_all, range(4)) for id_ in part]
    assert sorted(taken) == [f"{number:03}" for number in range(ROWS)]
    store.close()


def test_processes_share_the_rows_between_them(store: Store, queue: ClaimQueue, database_url: str) -> None:
    """Processes that claim at once get each row exactly once."""
    add(store, queue, *(f"{number:03}" for number in range(ROWS)))
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", CLAIM_ALL, database_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    taken = [id_ for process in processes for id_ in process.communicate()[0].split()]
    assert sorted(taken) == [f"{number:03}" for number in range(ROWS)]


def test_a_claim_reads_no_finished_rows(store: Store, queue: ClaimQueue) -> None:
    """Due rows are found by the index over unfinished rows, however many are done."""
    add(store, queue, *(f"{number:05}" for number in range(5000)), state="done")
    add(store, queue, "due")
    seen: list[Any] = []
    with store.transaction() as connection:
        connection.execute(text("ANALYZE"))
        event.listen(connection, "before_cursor_execute", lambda *arguments: seen.append(arguments[2:4]), once=True)
        queue.claim(connection, limit=10)
        explain = "EXPLAIN QUERY PLAN" if store.is_sqlite else "EXPLAIN"
        statement, parameters = seen[0]
        plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
    assert "ix_work_not_before_id" in plan
    assert "Seq Scan" not in plan
    assert "SCAN work" not in plan.replace("SCAN work USING INDEX ix_work_not_before_id", "")


def test_claims_are_held_in_one_statement(store: Store, queue: ClaimQueue) -> None:
    """Of many claims those that are still ours are held, in the order in which they were given."""
    add(store, queue, "a", "b", "c", not_before=1)
    paused = claim(store, queue)
    with store.transaction() as connection:
        assert queue.finish(connection, paused[1])
        assert queue.hold_all(connection, paused[::-1]) == [paused[2], paused[0]]
        assert queue.hold_all(connection, []) == []


def test_rows_are_finished_together_each_with_its_own_values(store: Store, queue: ClaimQueue) -> None:
    """What is finished together keeps what each row was finished with; what isn't ours stays as it is."""
    add(store, queue, "a", "b", not_before=1)
    claims = claim(store, queue)
    stale = evolve(claims[1], generation=0)
    with store.transaction() as connection:
        queue.finish_all(connection, [(claims[0], {"attempts": 7}), (stale, {"attempts": 8})])
        queue.finish_all(connection, [])
    assert (row(store, queue, "a")["state"], row(store, queue, "a")["attempts"]) == ("done", 7)
    assert row(store, queue, "b")["state"] == "running"

"""Claims on both databases: one worker at a time, the next one when that is gone, and no row for ever."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import MetaData, Table, event, insert, select, text, update

from speckitty_connectors.store.claims import PARKED, PENDING, Claim, ClaimQueue, Round
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.metadata import (
    DatabaseMilliseconds,
    claim_columns,
    identifier,
    metadata,
    workspace_column,
)

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
    return ClaimQueue(work, max_crashes=3, first_delay_seconds=0)


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
        connection.execute(update(queue.table).values(not_before=1, leased_until=1))


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
        assert not queue.postpone(connection, paused, error="late")
        assert not queue.park(connection, paused, error="late")
        queue.extend(connection, [paused])
        queue.release(connection, [paused])
        assert queue.hold(connection, successor)
        assert queue.finish(connection, successor)
        assert not queue.finish(connection, successor)


def test_a_claim_is_no_attempt(store: Store, queue: ClaimQueue) -> None:
    """What was claimed and goes back unstarted is as it was: due in its former place, with no attempt counted."""
    add(store, queue, "a", "b", not_before=1)
    with store.transaction() as connection:
        queue.release(connection, queue.claim(connection, limit=1))
    assert [(claimed.id, claimed.attempts) for claimed in claim(store, queue)] == [("a", 1), ("b", 1)]


def test_a_lease_that_is_extended_does_not_end(store: Store, work: Table) -> None:
    """Rows of a living worker stay its own, however long it takes."""
    queue = ClaimQueue(work, lease_seconds=3600)
    add(store, queue, "a", "b")
    claims = claim(store, queue)
    end_leases(store, queue)
    with store.transaction() as connection:
        queue.extend(connection, claims)
    assert claim(store, queue) == []


def test_what_a_process_leaves_at_its_end_is_due_at_once(store: Store, queue: ClaimQueue) -> None:
    """The rows of a process that was stopped go back together, and are no suspects."""
    add(store, queue, "a", "b", not_before=1)
    with store.transaction() as connection:
        queue.claim(connection, limit=1, worker="stopped")
        queue.claim(connection, limit=1, worker="other")
        assert queue.release_worker(connection, "stopped") == 1
    assert claim(store, queue) == [Claim(workspace="w", id="a", generation=2, attempts=1)]


def test_a_failed_row_waits_before_its_next_attempt(store: Store, work: Table) -> None:
    """A retried row isn't due before its pause is over, and then comes with its next attempt."""
    queue = ClaimQueue(work, first_delay_seconds=3600)
    add(store, queue, "a")
    (mine,) = claim(store, queue)
    with store.transaction() as connection:
        assert queue.retry(connection, mine, error="no answer") == PENDING
    assert row(store, queue, "a")["last_error"] == "no answer"
    assert claim(store, queue) == []
    end_leases(store, queue)
    assert [claimed.attempts for claimed in claim(store, queue)] == [2]


@pytest.mark.parametrize(("share", "milliseconds"), [(0.0, 4000), (1.0, 8000)])
def test_a_pause_keeps_part_of_its_length(store: Store, work: Table, share: float, milliseconds: int) -> None:
    """What failed together is tried again over half of the pause, which doubles with each attempt."""
    queue = ClaimQueue(work, jitter=lambda: share)
    add(store, queue, "a", attempts=2)
    (mine,) = claim(store, queue)
    with store.transaction() as connection:
        began = connection.scalar(select(DatabaseMilliseconds()))
        queue.retry(connection, mine, error="no answer")
        ended = connection.scalar(select(DatabaseMilliseconds()))
    assert began is not None
    assert ended is not None
    assert began <= row(store, queue, "a")["not_before"] - milliseconds <= ended


def test_a_row_that_fails_for_too_long_is_parked(store: Store, work: Table) -> None:
    """However often a row has failed, it is parked by how long ago it failed first, with its latest error."""
    queue = ClaimQueue(work, first_delay_seconds=0, retry_seconds=3600)
    add(store, queue, "poison")
    for attempt in range(1, 21):
        (mine,) = claim(store, queue)
        assert mine.attempts == attempt
        with store.transaction() as connection:
            assert queue.retry(connection, mine, error=f"failure {attempt}") == PENDING
    with store.transaction() as connection:
        connection.execute(update(work).values(failing_since=work.c.failing_since - 3_600_000))
    (mine,) = claim(store, queue)
    with store.transaction() as connection:
        assert queue.retry(connection, mine, error="failure 21") == PARKED
    end_leases(store, queue)
    assert claim(store, queue) == []
    parked = row(store, queue, "poison")
    assert (parked["state"], parked["attempts"], parked["last_error"]) == ("parked", 21, "failure 21")


def test_a_busy_database_is_no_attempt(store: Store, queue: ClaimQueue) -> None:
    """What is put back because the database was busy has the same attempt before it, and hasn't failed."""
    add(store, queue, "a")
    (mine,) = claim(store, queue)
    with store.transaction() as connection:
        assert queue.postpone(connection, mine, error="lock timeout")
    kept = row(store, queue, "a")
    assert (kept["state"], kept["failing_since"], kept["last_error"]) == ("pending", 0, "lock timeout")
    assert [claimed.attempts for claimed in claim(store, queue)] == [1]


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


def test_suspects_are_claimed_one_by_one(store: Store, queue: ClaimQueue) -> None:
    """What a worker had when it fell silent is claimed row by row, and only the killer is parked."""
    add(store, queue, "a", "b", "killer", not_before=1)
    assert ids(claim(store, queue)) == ["a", "b", "killer"]
    add(store, queue, "new", not_before=1)
    end_leases(store, queue)
    for _ in range(8):
        claims = claim(store, queue)
        if ids(claims) == ["killer"]:
            end_leases(store, queue)
        elif claims:
            assert len(claims) == 1
            with store.transaction() as connection:
                assert queue.finish(connection, claims[0])
    with store.reading() as connection:
        states = connection.execute(select(queue.table.c.id, queue.table.c.state).order_by(queue.table.c.id)).all()
    assert [tuple(each) for each in states] == [("a", "done"), ("b", "done"), ("killer", "parked"), ("new", "done")]


def test_a_report_ends_the_suspicion(store: Store, queue: ClaimQueue) -> None:
    """Only workers in a row that fall silent park a row; one that reports a failure lets the count begin again."""
    add(store, queue, "a")
    for _ in range(4):
        claim(store, queue)
        end_leases(store, queue)
        (mine,) = claim(store, queue)
        with store.transaction() as connection:
            assert queue.retry(connection, mine, error="it failed") == PENDING
    assert row(store, queue, "a")["attempts"] == 8


def test_many_rows_to_park_do_not_hide_the_rows_behind_them(store: Store, queue: ClaimQueue) -> None:
    """A claim that finds only spent rows parks them and goes on to those that can run."""
    add(store, queue, "a", "b", "c", "d", "e", state="running", crashes=2, leased_until=1)
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
    assert "ix_work_workspace_id_not_before_id" in plan
    assert "ix_work_leased_until" in plan
    assert "Seq Scan" not in plan
    assert not re.search(r"SCAN (work|waiting|due|rows)(?! USING)", plan)


def served(claims: list[Claim]) -> dict[str, int]:
    """Return how many rows of each workspace were claimed."""
    return dict(Counter(claim.workspace for claim in claims))


def test_workspaces_share_a_claim(store: Store, queue: ClaimQueue) -> None:
    """However much waits for one workspace, a claim takes as many rows of the others, oldest first within each."""
    add(store, queue, *(f"{number:03}" for number in range(100)), not_before=1)
    add(store, queue, "x", "y", workspace_id="v", not_before=2)
    add(store, queue, "z", workspace_id="z")
    claims = claim(store, queue, limit=9)
    assert served(claims) == {"v": 2, "w": 3, "z": 1}
    assert ids(claims)[:3] == ["000", "001", "002"]


def test_workspaces_have_their_turn_however_many_there_are(store: Store, queue: ClaimQueue) -> None:
    """Claims go round: each workspace is served once before one is served twice, the operator's deliveries, too."""
    names = ["", *(f"w{number:02}" for number in range(24))]
    for name in names:
        add(store, queue, f"{name}-1", f"{name}-2", workspace_id=name, not_before=1)
    turns = Round(queue, "worker")

    def claim_ten() -> list[Claim]:
        with store.transaction() as connection:
            return turns.claim(connection, limit=10)

    taken = [*claim_ten(), *claim_ten(), *claim_ten()]
    assert served(taken[:20]) == dict.fromkeys(names[:20], 1)
    assert served(taken)[names[24]] == 2
    while claims := claim_ten():
        taken += claims
    assert served(taken) == dict.fromkeys(names, 2)


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

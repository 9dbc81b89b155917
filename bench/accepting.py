"""Durable accept, beside the raw driver doing the same inserts and the same commits."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from rounds import Candidate, Report, take_turns
from samples import APP, PROVIDER, Sample, read_samples, sign

from speckitty_connectors import Connectors, KeyRing, Settings
from speckitty_connectors.inbox.request import Request

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from testbed.postgresql import running_postgresql

BATCH = 50
"""Deliveries a turn; each is a commit of its own."""

ROW = (
    "insert into inbox (workspace_id, id, endpoint_id, installation_id, provider, host, delivery_id, kind,"
    " body_digest, secret_id, received_at, state) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
BODY = "insert into inbox_bodies (workspace_id, inbox_id, headers, content_type, body) values (?, ?, ?, ?, ?)"


def measure(report: Report, *, corpus: Path, rounds: int) -> None:
    """Add what it costs to accept a delivery for good, on both databases."""
    samples = read_samples(corpus)[:BATCH]
    report.title(f"{BATCH} deliveries a turn, a commit each; the floor is the raw driver with the same inserts")
    with (
        tempfile.TemporaryDirectory() as folder,
        _connectors(f"sqlite:///{Path(folder) / 'bench.db'}") as connectors,
    ):
        floor = _raw_sqlite(Path(folder) / "bench.db", samples)
        _compare(report, "SQLite", connectors, floor, samples, rounds)
    with (
        running_postgresql() as url,
        _connectors(url) as connectors,
        psycopg.connect(url.replace("+psycopg", "")) as connection,
    ):
        _compare(report, "PostgreSQL", connectors, _raw_postgresql(connection, samples), samples, rounds)


def _compare(
    report: Report, database: str, connectors: Connectors, floor: Candidate, samples: Sequence[Sample], rounds: int
) -> None:
    seconds = take_turns({"floor": floor, "accept": _accept(connectors, samples, rounds)}, rounds=rounds)
    report.add_speed(f"durable accept / raw driver, {database}", seconds["accept"], seconds["floor"], aim="≥ 0.8")


@contextmanager
def _connectors(url: str) -> Iterator[Connectors]:
    with Connectors(Settings(database_url=url, keys={"bench": KeyRing.new_key()}, apps=(APP,))) as connectors:
        connectors.upgrade()
        connectors.start()
        yield connectors


def _accept(connectors: Connectors, samples: Sequence[Sample], rounds: int) -> Candidate:
    """Return what accepts a batch; every turn has bodies and ids of its own, signed beforehand."""
    batches = iter([_requests(samples, turn) for turn in range(rounds + 1)])

    def run() -> None:
        for request in next(batches):
            answer = connectors.inbox.accept(request)
            assert answer.status == 202, answer

    return run


def _requests(samples: Sequence[Sample], turn: int) -> list[Request]:
    requests = []
    for sample in samples:
        body = sample.body + b" " * turn
        headers = [
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", sample.kind),
            ("X-GitHub-Delivery", str(uuid.uuid4())),
            ("X-Hub-Signature-256", sign(body)),
        ]
        requests.append(Request(provider=PROVIDER, endpoint_id="", headers=headers, body=body))
    return requests


def _rows(samples: Sequence[Sample], moment: object) -> Iterator[tuple[tuple[object, ...], tuple[object, ...]]]:
    """Yield the same two rows for each delivery as the library writes."""
    for sample in samples:
        row_id, delivery_id = str(uuid.uuid4()), str(uuid.uuid4())
        digest = hashlib.sha256(sample.body).digest()
        headers = json.dumps({"x-github-event": sample.kind, "x-github-delivery": delivery_id})
        endpoint = ("raw", "", PROVIDER, "github.com")
        row = ("", row_id, *endpoint, delivery_id, sample.kind, digest, "secret", moment, "pending")
        yield row, ("", row_id, headers, "application/json", sample.body)


def _raw_sqlite(path: Path, samples: Sequence[Sample]) -> Candidate:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")

    def run() -> None:
        for row, body in _rows(samples, "2026-01-02 00:00:00.000000"):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(ROW, row)
            connection.execute(BODY, body)
            connection.execute("COMMIT")

    return run


def _raw_postgresql(connection: psycopg.Connection[tuple[object, ...]], samples: Sequence[Sample]) -> Candidate:
    row_statement, body_statement = ROW.replace("?", "%s"), BODY.replace("?", "%s")

    def run() -> None:
        for row, body in _rows(samples, datetime.now(UTC)):
            connection.execute(row_statement, row)
            connection.execute(body_statement, body)
            connection.commit()

    return run

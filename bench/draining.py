"""Mapped pushes from the inbox to the host's handler, beside Procrastinate and the raw driver with the same effect.

What is measured is one worker's time for a batch that is stored already: routing, and a transaction for each
handler that inserts a row of the host's. Procrastinate runs as many jobs, one at a time, each with that insert;
the raw driver claims ten rows a commit, and then reads the body, inserts a decision and the effect, and marks the
row done.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import procrastinate
import psycopg
from attrs import frozen
from rounds import Report
from samples import APP, PROVIDER, sign
from sqlalchemy import Column, Connection, MetaData, String, Table, insert

from speckitty_connectors import Connectors, Dispatch, KeyRing, Resource, Settings
from speckitty_connectors.inbox.request import Request

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from testbed.inbound import Inbound
from testbed.layers import add_installation, add_resources
from testbed.postgresql import running_postgresql

BATCH = 200
"""Pushes a turn."""

CLAIMED = 10
"""Rows that the raw driver claims in one transaction."""

OWNER, REPOSITORY, INSTALLATION = 2411, 9034, 5512
"""The provider's ids in the pushes."""

effects = Table("bench_effects", MetaData(), Column("effect_key", String), Column("subject", String))
"""The host's own table."""

RAW_TABLES = """
create table raw_work (id varchar primary key, state varchar, body text, claimed_until bigint);
create table raw_decisions (id varchar primary key, work_id varchar, document text);
create index raw_due on raw_work (state, id)
"""

PEER_EFFECT = "insert into bench_effects (effect_key, subject) values (%s, %s)"

Run = Callable[[], None]


@frozen(kw_only=True)
class Contender:
    """One way to have a batch's effects.

    Attributes:
        fill: stores a batch, untimed.
        drain: handles it.
    """

    fill: Run
    drain: Run


def measure(report: Report, *, rounds: int) -> None:
    """Add what it costs to drain a batch, on both databases."""
    report.title(f"{BATCH} mapped pushes a turn, drained by one worker; the floor has the same effects")
    with tempfile.TemporaryDirectory() as folder, _connectors(f"sqlite:///{folder}/bench.db") as connectors:
        contenders = {"ours": _ours(connectors), "raw": _raw_sqlite(Path(folder) / "bench.db")}
        seconds = _take_turns(contenders, rounds)
        report.add_speed("drain / raw driver, SQLite", seconds["ours"], seconds["raw"], aim="≥ 0.25")
    with running_postgresql() as url, _connectors(url) as connectors:
        plain = url.replace("+psycopg", "")
        with psycopg.connect(plain) as connection, _procrastinate(plain) as peer:
            contenders = {"ours": _ours(connectors), "raw": _raw_postgresql(connection), "procrastinate": peer}
            seconds = _take_turns(contenders, rounds)
        report.add_speed("drain / raw driver, PostgreSQL", seconds["ours"], seconds["raw"], aim="≥ 0.4")
        report.add_speed("drain / Procrastinate", seconds["ours"], seconds["procrastinate"], aim="≥ 1.0")


def _take_turns(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Return each one's seconds in each round; the first round warms up."""
    names, seconds = list(contenders), {name: list[float]() for name in contenders}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            contenders[name].fill()
            gc.collect()
            start = time.perf_counter()
            contenders[name].drain()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


@contextmanager
def _connectors(url: str) -> Iterator[Connectors]:
    """Give a host whose one repository is mapped, with a handler that inserts a row."""
    with Connectors(Settings(database_url=url, keys={"bench": KeyRing.new_key()}, apps=(APP,))) as connectors:
        connectors.upgrade()
        connectors.start()
        registered = connectors.apps.list()[0]
        installation = add_installation(
            connectors.store,
            provider=PROVIDER,
            host=registered.app.host,
            app_id=registered.id,
            account_id=str(OWNER),
            provider_installation_id=str(INSTALLATION),
        )
        add_resources(
            connectors.store, installation, Resource(kind="repository", id=str(REPOSITORY), key="kitchen/menu")
        )
        Inbound(store=connectors.store, registry=connectors.registry).map(
            installation, str(REPOSITORY), "apollo", kind="repository"
        )
        with connectors.store.transaction() as connection:
            effects.create(connection)

        @connectors.on("project")
        def handle(dispatch: Dispatch, connection: Connection) -> None:
            connection.execute(
                insert(effects).values(effect_key=dispatch.effect_key, subject=dispatch.event.subject)
            )

        yield connectors


def _ours(connectors: Connectors) -> Contender:
    worker = connectors.worker()

    def fill() -> None:
        for _ in range(BATCH):
            body = _push()
            headers = [
                ("Content-Type", "application/json"),
                ("X-GitHub-Event", "push"),
                ("X-GitHub-Delivery", str(uuid.uuid4())),
                ("X-Hub-Signature-256", sign(body)),
            ]
            request = Request(provider=PROVIDER, endpoint_id="", headers=headers, body=body)
            assert connectors.inbox.accept(request).status == 202

    def drain() -> None:
        while worker.run_once():
            pass

    return Contender(fill=fill, drain=drain)


def _push() -> bytes:
    """Return the document of a push of three commits."""
    commit = {
        "id": uuid.uuid4().hex + "0" * 8,
        "message": "Season the soup\n\nIt was bland.",
        "timestamp": "2026-01-02T10:00:00Z",
        "author": {"name": "Mona", "email": "mona@example.com", "username": "mona"},
        "added": [],
        "removed": [],
        "modified": ["soup.md", "menu.md"],
    }
    owner = {"id": OWNER, "login": "kitchen", "name": "kitchen", "type": "Organization"}
    return json.dumps(
        {
            "ref": "refs/heads/main",
            "before": uuid.uuid4().hex + "0" * 8,
            "after": commit["id"],
            "commits": [commit] * 3,
            "head_commit": commit,
            "pusher": {"name": "mona"},
            "sender": {"id": 77, "login": "mona", "type": "User"},
            "installation": {"id": INSTALLATION},
            "repository": {
                "id": REPOSITORY,
                "name": "menu",
                "full_name": "kitchen/menu",
                "html_url": "https://github.com/kitchen/menu",
                "owner": owner,
                "default_branch": "main",
            },
        }
    ).encode()


def _raw_postgresql(connection: psycopg.Connection[Any]) -> Contender:
    connection.execute(RAW_TABLES)
    connection.commit()
    claim = (
        "update raw_work set state = 'running', claimed_until = 1 where id in (select id from raw_work"
        " where state = 'pending' order by id limit %s for update skip locked) returning id"
    )
    return _raw(connection.execute, connection.commit, claim, "%s")


def _raw_sqlite(path: Path) -> Contender:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.executescript(RAW_TABLES)
    claim = (
        "update raw_work set state = 'running', claimed_until = 1 where id in (select id from raw_work"
        " where state = 'pending' order by id limit ?) returning id"
    )

    def execute(statement: str, values: tuple[object, ...]) -> Any:
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        return connection.execute(statement, values)

    return _raw(execute, lambda: connection.execute("COMMIT"), claim, "?")


def _raw(execute: Callable[..., Any], commit: Callable[[], Any], claim: str, mark: str) -> Contender:
    insert_work = f"insert into raw_work (id, state, body) values ({mark}, 'pending', {mark})"
    insert_decision = f"insert into raw_decisions (id, work_id, document) values ({mark}, {mark}, {mark})"
    insert_effect = f"insert into bench_effects (effect_key, subject) values ({mark}, {mark})"
    read, done = (
        f"select body from raw_work where id = {mark}",
        f"update raw_work set state = 'done' where id = {mark}",
    )

    def fill() -> None:
        for _ in range(BATCH):
            execute(insert_work, (str(uuid.uuid4()), _push().decode()))
        commit()

    def drain() -> None:
        while claimed := execute(claim, (CLAIMED,)).fetchall():
            commit()
            for (work_id,) in claimed:
                document = json.loads(execute(read, (work_id,)).fetchone()[0])
                execute(insert_decision, (str(uuid.uuid4()), work_id, json.dumps({"target": "apollo"})))
                execute(insert_effect, (work_id, document["after"]))
                execute(done, (work_id,))
                commit()
        commit()

    return Contender(fill=fill, drain=drain)


@contextmanager
def _procrastinate(url: str) -> Iterator[Contender]:
    """Give Procrastinate with a task that inserts the effect in a transaction of its own."""
    app, loop = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url)), asyncio.new_event_loop()
    with psycopg.connect(url) as connection, closing(loop):

        @app.task(name="effect")
        def effect(subject: str) -> None:
            connection.execute(
                "insert into bench_effects (effect_key, subject) values (%s, %s)", (subject, subject)
            )
            connection.commit()

        async def defer() -> None:
            for _ in range(BATCH):
                await effect.defer_async(subject=uuid.uuid4().hex)

        def drain() -> None:
            loop.run_until_complete(app.run_worker_async(wait=False, concurrency=1, install_signal_handlers=False))

        loop.run_until_complete(app.open_async())
        loop.run_until_complete(app.schema_manager.apply_schema_async())
        yield Contender(fill=lambda: loop.run_until_complete(defer()), drain=drain)
        loop.run_until_complete(app.close_async())

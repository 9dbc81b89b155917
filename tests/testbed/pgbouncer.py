"""A real PgBouncer in transaction mode before a real PostgreSQL, wherever the program is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from .postgresql import START_SECONDS, free_port, unprivileged_account, wait_until_ready

SETTINGS = """\
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {server_connections}
"""


class PgbouncerMissingError(Exception):
    """The program isn't installed."""


@contextmanager
def pooled(url: str, *, server_connections: int) -> Iterator[str]:
    """Give a URL that leads to the same database through a PgBouncer of its own.

    Args:
        url: of the database.
        server_connections: how many connections all clients share.

    Raises:
        PgbouncerMissingError: there is no such program.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise PgbouncerMissingError("PgBouncer isn't installed (Debian: pgbouncer)")
    direct, account = make_url(url), unprivileged_account()  # it refuses root, as PostgreSQL does
    through = direct.set(host="127.0.0.1", port=free_port())
    folder = Path(tempfile.mkdtemp(prefix="connectors-pgbouncer-"))
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(
            host=direct.host,
            port=direct.port or 5432,
            user=direct.username,
            password=direct.password,
            listen_port=through.port,
            server_connections=server_connections,
        )
    )
    try:
        if account:
            shutil.chown(folder, account)
            shutil.chown(settings, account)
        with _running([program, str(settings)], account, folder / "log") as pooler:
            yield wait_until_ready(through.render_as_string(hide_password=False), pooler, folder / "log")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(command: list[str], account: str | None, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        pooler = subprocess.Popen(command, user=account, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield pooler
    finally:
        pooler.terminate()
        pooler.wait(timeout=START_SECONDS)

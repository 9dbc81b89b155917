"""Looks for secrets wherever a program writes things down; the root's conftest does so for every test."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from speckitty_connectors import ConnectorsError
from speckitty_connectors.credentials import secret as secrets
from speckitty_connectors.store.engine import Store

SHORTEST = 16
"""Bytes below which a secret may stand anywhere by chance."""

LINE = 32
"""Bytes of a line of a longer secret that is one by itself, as of a private key."""


DATABASE_LOG = "sqlalchemy.engine.Engine"
"""The logger of SQLAlchemy's that is told each statement, and at DEBUG each row."""


class Canaries:
    """Markers and their names, and everything that a program may write them as.

    Attributes:
        known: marker → its name; several may have the same one.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, str] = {}
        self._written: dict[bytes, tuple[str, str]] = {}

    def add(self, name: str, secret: str | bytes) -> None:
        """Add a marker."""
        marker = secret if isinstance(secret, bytes) else secret.encode()
        self.known[marker] = name
        for form, written in forms(marker):
            self._written.setdefault(written, (name, form))

    def named(self, name: str) -> bytes:
        """Return the last marker of that name."""
        return [marker for marker, its in self.known.items() if its == name][-1]

    def found_in(self, content: str | bytes, *, but: frozenset[str] = frozenset()) -> list[str]:
        """Return which markers the content shows, and how they are written there."""
        searched = content if isinstance(content, bytes) else content.encode(errors="surrogateescape")
        return [
            f"{name} as {form}"
            for written, (name, form) in self._written.items()
            if written in searched and name not in but
        ]


def forms(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the ways to write a marker: as it is, hex, base64 at each offset, URL-encoded, escaped."""
    yield "raw", secret
    yield "hex", secret.hex().encode()
    yield "upper-case hex", secret.hex().upper().encode()
    for offset in range(3):
        # Only whole groups of the marker's own letters are the same wherever it stands.
        inner = secret[-offset % 3 :]
        whole = inner[: len(inner) // 3 * 3]
        yield "base64", base64.b64encode(whole)
        yield "URL-safe base64", base64.urlsafe_b64encode(whole)
    yield "URL-encoded", quote(secret, safe="").encode()
    yield "path-encoded", quote(secret).encode()
    yield "form-encoded", quote(secret, safe=" ").replace(" ", "+").encode()
    yield "repr of bytes", repr(secret)[2:-1].encode()
    if secret.isascii():
        yield "repr of text", repr(secret.decode())[1:-1].encode()
        yield "JSON", json.dumps(secret.decode())[1:-1].encode()


class Watch:
    """Knows every `Secret` that a test makes, and looks whether what the test wrote down shows one.

    Looked at are logs at DEBUG with tracebacks, the database's statements and rows, standard output and error, the
    text of each of our errors, what commands print, and the pages of SQLite's files. What other processes write
    is theirs.
    """

    def __init__(self) -> None:
        self._lasting: set[bytes] = set()
        self._made = self._lasting
        self._written: set[str] = set()
        self._databases: set[Path] = set()
        self._pages: dict[str, bytes] = {}

    def begin(self) -> None:
        """Start a test: what was made before all tests stays secret in each of them."""
        self._made, self._written, self._databases, self._pages = set(), set(), set(), {}

    def end(self) -> None:
        """Read what a test left in its databases, before its folder is removed."""
        for database in self._databases:
            for path in database.parent.glob(f"{database.name}*"):
                self._pages[path.name] = path.read_bytes()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Hear of secrets, errors, databases, statements, rows and the output of commands from now on."""
        bytes_of = secrets._bytes_of  # noqa: SLF001 - every secret passes it
        initialise, invoke, open_store = ConnectorsError.__init__, CliRunner.invoke, Store.__init__

        def hear(value: str | bytes | secrets.Secret) -> bytes:
            made = bytes_of(value)
            self._made.add(made)
            return made

        def read(error: ConnectorsError, *arguments: Any, **named: Any) -> None:
            initialise(error, *arguments, **named)
            self._written.add(str(error))

        def watch(runner: CliRunner, *arguments: Any, **named: Any) -> Result:
            result = invoke(runner, *arguments, **named)
            self._written.update(result.output.splitlines())
            return result

        @wraps(open_store)
        def note(store: Store, *arguments: Any, **named: Any) -> None:
            open_store(store, *arguments, **named)
            if store.is_sqlite and store.url.database:
                self._databases.add(Path(store.url.database))

        database = logging.getLogger(DATABASE_LOG)
        database.setLevel(logging.DEBUG)
        for level in ("info", "debug"):
            # It is told to us alone: to make and format a record of each row costs more than most tests do.
            patch.setattr(database, level, self._hear)
        patch.setattr(secrets, "_bytes_of", hear)
        patch.setattr(Store, "__init__", note)
        patch.setattr(ConnectorsError, "__init__", read)
        patch.setattr(CliRunner, "invoke", watch)

    def _hear(self, message: str, *arguments: object, **_: object) -> None:
        """Keep a statement, its parameters unless they are hidden, or a row."""
        self._written.add(message)
        self._written.update(repr(each) for each in arguments if not isinstance(each, str))

    def leaks(self, sections: Iterable[tuple[str, str]]) -> list[str]:
        """Return where a secret shows, and how; never the secret itself."""
        canaries = self._canaries()
        if not canaries.known:
            return []
        shown = {title: "\n".join(set(text.splitlines())).encode(errors="replace") for title, text in sections}
        written = "\n".join(self._written).encode(errors="replace")
        shown |= {"an error, a statement, a row or the output of a command": written, **self._pages}
        return [f"{where}: {how}" for where, content in shown.items() for how in canaries.found_in(content)]

    def _canaries(self) -> Canaries:
        canaries = Canaries()
        for secret in self._made | self._lasting:
            for part in {secret, *(line for line in secret.splitlines() if len(line) >= LINE)}:
                if len(part) >= SHORTEST:
                    canaries.add(f"the secret of {len(part)} bytes that begins with {part[:4]!r}", part)
        return canaries

"""Live rotation: nothing unreadable, nothing overwritten, and a former key that may go afterwards."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from speckitty_connectors.cli import commands
from speckitty_connectors.credentials.key_services import verify_keys
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.rotation import BATCH, KeyRotation, Progress
from speckitty_connectors.credentials.tables import credentials
from speckitty_connectors.credentials.vault import Resealed, Vault
from speckitty_connectors.errors import ConfigurationError, StoreUnavailableError
from speckitty_connectors.store.engine import Store

OLD, NEW = KeyRing.new_key(), KeyRing.new_key()
FIELDS: dict[str, Any] = {"provider": "fake", "host": "fake.example", "kind": "grant"}

ROTATE_AND_DIE = """
import os, signal, sys
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.rotation import KeyRotation
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.store.engine import Store
ring = KeyRing.from_configuration({"old": sys.argv[2], "new": sys.argv[3]}, active="new")
KeyRotation(Store(sys.argv[1]), ring, Vault(ring)).rotate(lambda reached: os.kill(os.getpid(), signal.SIGKILL))
"""


def ring(active: str) -> KeyRing:
    return KeyRing.from_configuration({"old": OLD, "new": NEW}, active=active)


def rotation(store: Store) -> KeyRotation:
    return KeyRotation(store, ring("new"), Vault(ring("new")))


def seal(store: Store, count: int) -> list[tuple[str, str]]:
    """Seal credentials ``token-0`` … with the old key, in two workspaces; return where each is."""
    vault, places = Vault(ring("old")), []
    with store.transaction() as connection:
        for number in range(count):
            workspace = f"w{number % 2}"
            values = {"t": f"token-{number}"}
            credential_id = vault.seal_new(connection, workspace=workspace, **FIELDS, values=values)
            places.append((workspace, credential_id))
    return places


def read(store: Store, vault: Vault, place: tuple[str, str]) -> tuple[str, int]:
    with store.reading() as connection:
        opened = vault.open(connection, workspace=place[0], credential_id=place[1])
    return opened.values["t"].reveal(), opened.version


def counts(store: Store) -> dict[str, int]:
    return {key.id: key.credentials for key in rotation(store).list()}


def test_everything_is_sealed_anew_and_the_former_key_may_go(store: Store) -> None:
    """Values and versions stay, progress is told, and a ring without the former key starts and opens all."""
    places = seal(store, BATCH + 5)
    told: list[Progress] = []
    only_new = KeyRing.from_configuration({"new": NEW})
    with pytest.raises(ConfigurationError, match="aren't configured: old"):
        verify_keys(only_new, store)
    assert counts(store) == {"new": 0, "old": BATCH + 5}
    rotation(store).rotate(told.append)
    assert [(each.done, each.total) for each in told] == [(BATCH, BATCH + 5), (BATCH + 5, BATCH + 5)]
    assert counts(store) == {"new": BATCH + 5, "old": 0}
    verify_keys(only_new, store)
    assert [read(store, Vault(only_new), place) for place in places] == [
        (f"token-{number}", 1) for number in range(len(places))
    ]
    assert rotation(store).rotate() == Progress(total=0)


def test_the_end_and_the_age_of_a_credential_stay(store: Store) -> None:
    """A new key is no new token: nothing is renewed later, or earlier, because of it."""
    seal(store, 3)
    columns = select(credentials.c.id, credentials.c.expires_at, credentials.c.updated_at).order_by(
        credentials.c.id
    )
    with store.reading() as connection:
        before = connection.execute(columns).all()
    rotation(store).rotate()
    with store.reading() as connection:
        assert connection.execute(columns).all() == before


def test_a_renewal_in_the_middle_wins(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is replaced between reading and writing isn't overwritten with what was read, and is sealed anew too."""
    (place,) = seal(store, 1)
    put, busy = Vault.put, iter([True])

    def overtaken(vault: Vault, connection: Any, resealed: Resealed) -> bool:
        if next(busy, False):
            # a process that doesn't know yet which key is active
            assert Vault(ring("old")).replace(
                connection, workspace=place[0], credential_id=place[1], expected_version=1, values={"t": "renewed"}
            )
        return put(vault, connection, resealed)

    monkeypatch.setattr(Vault, "put", overtaken)
    assert rotation(store).rotate().is_complete
    assert read(store, Vault(ring("new")), place) == ("renewed", 2)
    assert counts(store) == {"new": 1, "old": 0}


def test_a_credential_that_is_forgotten_in_the_middle_stays_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disconnected account's tokens don't come back, and don't stop the rotation."""
    (place,) = seal(store, 1)
    put = Vault.put

    def forgotten(vault: Vault, connection: Any, resealed: Resealed) -> bool:
        vault.forget(connection, workspace=place[0], credential_id=place[1])
        return put(vault, connection, resealed)

    monkeypatch.setattr(Vault, "put", forgotten)
    assert rotation(store).rotate().is_complete
    assert counts(store) == {"new": 0, "old": 0}


def test_what_cannot_be_opened_is_named_and_left(store: Store) -> None:
    """One damaged row doesn't keep the others from their new key, and keeps the former key in use."""
    places = seal(store, 3)
    with store.transaction() as connection:
        connection.execute(update(credentials).where(credentials.c.id == places[1][1]).values(kind="other"))
    reached = rotation(store).rotate()
    assert (reached.done, reached.unreadable, reached.is_complete) == (2, (places[1][1],), False)
    assert counts(store) == {"new": 2, "old": 1}


def test_a_rotation_that_was_killed_goes_on_where_it_was(database_url: str, store: Store) -> None:
    """A process dies after its first batch; the next one seals the rest, and nothing is lost."""
    places = seal(store, 2 * BATCH)
    command = [sys.executable, "-c", ROTATE_AND_DIE, database_url, OLD.reveal(), NEW.reveal()]
    assert subprocess.run(command, check=False).returncode == -9
    assert counts(store) == {"new": BATCH, "old": BATCH}
    assert rotation(store).rotate() == Progress(total=BATCH, done=BATCH)
    assert [read(store, Vault(ring("new")), place)[0] for place in places] == [
        f"token-{number}" for number in range(len(places))
    ]


@pytest.mark.soak
def test_rotations_at_once_do_no_harm(patient_store: Store) -> None:
    """Eight rotations beside eight who renew: none fails, and all ends under the new key, as it was renewed."""
    places = seal(patient_store, 4 * BATCH)
    expected: dict[tuple[str, str], tuple[str, int]] = {}
    failures: list[BaseException] = []

    def attempt(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    def renew(number: int) -> None:
        for workspace, credential_id in places[number::80]:
            with patient_store.transaction() as connection:
                assert Vault(ring("new")).replace(
                    connection,
                    workspace=workspace,
                    credential_id=credential_id,
                    expected_version=1,
                    values={"t": f"renewed-{number}"},
                )
            expected[workspace, credential_id] = (f"renewed-{number}", 2)

    works = [partial(renew, number) for number in range(8)] + [rotation(patient_store).rotate] * 8
    threads = [threading.Thread(target=attempt, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert counts(patient_store) == {"new": len(places), "old": 0}
    assert len(expected) == 40
    assert {place: read(patient_store, Vault(ring("new")), place) for place in expected} == expected


CREDENTIALS = 10_000


class Users:
    """Threads that read and renew credentials at random, as the processes of a host do, until told to stop."""

    def __init__(self, store: Store, places: list[tuple[str, str]]) -> None:
        self.store, self.places = store, places
        self.expected = {place: (f"token-{number}", 1) for number, place in enumerate(places)}
        self.failures: list[BaseException] = []
        self.reads = self.renewals = 0
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=[work, seed])
            for seed, work in enumerate([self._read, self._renew])
        ]

    def __enter__(self) -> Users:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[[Vault, tuple[str, str]], None], seed: int) -> None:
        chance = random.Random(seed)
        # Half of a host's processes may not have been restarted with the new active key yet.
        vaults = [Vault(ring("old")), Vault(ring("new"))]
        while not self._stop.is_set():
            try:
                work(chance.choice(vaults), chance.choice(self.places))
            except StoreUnavailableError:
                continue
            except BaseException as error:  # noqa: BLE001 - reported by the test
                self.failures.append(error)

    def _read(self, vault: Vault, place: tuple[str, str]) -> None:
        read(self.store, vault, place)
        self.reads += 1

    def _renew(self, vault: Vault, place: tuple[str, str]) -> None:
        _, version = self.expected[place]
        value = f"renewed-{version}"
        with self.store.transaction() as connection:
            assert vault.replace(
                connection,
                workspace=place[0],
                credential_id=place[1],
                expected_version=version,
                values={"t": value},
            )
        self.expected[place] = (value, version + 1)
        self.renewals += 1


@pytest.fixture
def patient_store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url, wait_seconds=30)
    yield opened
    opened.close()


@pytest.mark.soak
def test_ten_thousand_credentials_are_rotated_under_load(patient_store: Store) -> None:
    """While they are read and renewed, none fails to open, no renewal is lost, and all end under the new key."""
    places = seal(patient_store, CREDENTIALS)
    with Users(patient_store, places) as users:
        assert rotation(patient_store).rotate().is_complete
    # Processes with the old active key sealed some again; once they are gone, a second run finds those.
    assert rotation(patient_store).rotate().is_complete
    assert users.failures == []
    assert users.reads > 100
    assert users.renewals > 100
    assert counts(patient_store) == {"new": CREDENTIALS, "old": 0}
    only_new = Vault(KeyRing.from_configuration({"new": NEW}))
    with patient_store.reading() as connection:
        for (workspace, credential_id), expected in users.expected.items():
            opened = only_new.open(connection, workspace=workspace, credential_id=credential_id)
            assert (opened.values["t"].reveal(), opened.version) == expected


@pytest.fixture
def run(sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line on a database, with the new key as the active one."""
    monkeypatch.setenv("SPECKITTY_CONNECTORS_DATABASE_URL", sqlite_store.url.render_as_string(hide_password=False))
    monkeypatch.setenv("SPECKITTY_CONNECTORS_KEYS", f"new:{NEW.reveal()},old:{OLD.reveal()}")
    return lambda *words: CliRunner().invoke(commands, ["keys", *words])


def test_an_operator_rotates_and_sees_which_key_may_go(sqlite_store: Store, run: Callable[..., Any]) -> None:
    """The list counts what each key sealed; the rotation shows a bar and names the key that may go."""
    seal(sqlite_store, 3)
    assert '"credentials": 3' in run("list", "--json").output
    rotated = run("rotate", "--progress")
    assert rotated.exit_code == 0
    assert "3 of 3 credentials are sealed again" in rotated.output
    assert "no credential needs these keys any more: old" in rotated.output
    assert "100%" in rotated.output
    listed = run("list").output
    assert [key for key in (OLD, NEW) if key.reveal() in rotated.output + listed] == []


def test_an_operator_is_told_what_could_not_be_opened(sqlite_store: Store, run: Callable[..., Any]) -> None:
    """The command fails, and names the credential, so that its owner can be asked to connect again."""
    (place,) = seal(sqlite_store, 1)
    with sqlite_store.transaction() as connection:
        connection.execute(update(credentials).values(kind="other"))
    rotated = run("rotate")
    assert rotated.exit_code == 1
    assert place[1] in rotated.output

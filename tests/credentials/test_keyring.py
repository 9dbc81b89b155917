"""The ring of keys: which configurations are refused, and which databases."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from speckitty_connectors.credentials.key_services import verify_keys
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.credentials.tables import credentials, key_checks
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.errors import ConfigurationError
from speckitty_connectors.store.engine import Store

GOOD = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 33))).decode()
FIELDS: dict[str, Any] = {"workspace": "w1", "provider": "fake", "host": "fake.example", "kind": "grant"}


@pytest.mark.parametrize(
    ("keys", "active", "reason"),
    [
        ({}, "", "no key is configured"),
        ({"a": ""}, "a", "isn't base64 of 32 bytes"),
        ({"a": base64.b64encode(b"x" * 16).decode()}, "a", "isn't base64 of 32 bytes"),
        ({"a": base64.b64encode(b"x" * 31).decode()}, "a", "isn't base64 of 32 bytes"),
        ({"a": base64.b64encode(b"x" * 33).decode()}, "a", "isn't base64 of 32 bytes"),
        ({"a": GOOD[:-1]}, "a", "isn't base64 of 32 bytes"),
        ({"a": GOOD[:-4]}, "a", "isn't base64 of 32 bytes"),
        ({"a": "!" + GOOD}, "a", "isn't base64 of 32 bytes"),
        ({"a": GOOD.replace("A", "\u0391")}, "a", "isn't base64 of 32 bytes"),
        ({"a": bytes(range(32)).hex()}, "a", "isn't base64 of 32 bytes"),
        ({"a": GOOD}, "b", "isn't among the keys"),
        ({"a": GOOD, "b": OTHER}, "", "none of the keys is the active one"),
        ({"a": GOOD, "b": GOOD}, "a", "the same as another"),
        ({"": GOOD}, "", "isn't well formed"),
        ({"a b": GOOD}, "a b", "isn't well formed"),
        ({"a/b": GOOD}, "a/b", "isn't well formed"),
        ({"-a": GOOD}, "-a", "isn't well formed"),
        ({"a\n": GOOD}, "a\n", "isn't well formed"),
        ({"\u00e9": GOOD}, "\u00e9", "isn't well formed"),
        ({"a" * 65: GOOD}, "a" * 65, "isn't well formed"),
    ],
)
def test_a_bad_configuration_is_refused(keys: dict[str, str], active: str, reason: str) -> None:
    """Whatever is wrong is said with a remedy, and no key is repeated."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        KeyRing.from_configuration(keys, active=active)
    assert caught.value.remedy
    assert not any(key and key in str(caught.value) for key in keys.values())


@pytest.mark.parametrize("key", [GOOD, f"{GOOD}\n", Secret(GOOD)])
def test_a_key_may_be_text_or_a_secret(key: str | Secret) -> None:
    """The one key there is becomes the active one; the line's end of a file is no part of it."""
    assert KeyRing.from_configuration({"2026-01.a_b": key}).active == "2026-01.a_b"


def test_new_keys_differ_and_can_be_configured() -> None:
    """What `new_key` makes is a key of its own each time."""
    first, second = KeyRing.new_key(), KeyRing.new_key()
    assert first != second
    assert KeyRing.from_configuration({"a": first, "b": second}, active="b").active == "b"


def test_the_right_keys_start_again_and_again(store: Store) -> None:
    """The first start leaves a check for each key, later ones find it, also with a further key."""
    verify_keys(KeyRing.from_configuration({"a": GOOD}), store)
    verify_keys(KeyRing.from_configuration({"a": GOOD}), store)
    verify_keys(KeyRing.from_configuration({"a": GOOD, "b": OTHER}, active="b"), store)
    with store.reading() as connection:
        assert set(connection.scalars(select(key_checks.c.key_id))) == {"a", "b"}


@pytest.mark.parametrize(
    "keys", [{"a": OTHER}, {"a": OTHER, "b": GOOD}], ids=["another key under the id", "keys that changed places"]
)
def test_a_wrong_key_stops_the_start(keys: dict[str, str], store: Store) -> None:
    """A key that isn't the one its id had before is noticed before anything is sealed with it."""
    verify_keys(KeyRing.from_configuration({"a": GOOD, "b": OTHER}, active="a"), store)
    with pytest.raises(ConfigurationError, match="isn't the one that this id had before"):
        verify_keys(KeyRing.from_configuration(keys, active="a"), store)


def test_a_check_of_another_key_does_not_pass(store: Store) -> None:
    """A check that was copied from one key id to another isn't taken for a good one."""
    ring = KeyRing.from_configuration({"a": GOOD, "b": OTHER}, active="a")
    verify_keys(ring, store)
    with store.transaction() as connection:
        sealed = connection.scalar(select(key_checks.c.sealed).where(key_checks.c.key_id == "b"))
        connection.execute(update(key_checks).where(key_checks.c.key_id == "a").values(sealed=sealed))
    with pytest.raises(ConfigurationError, match="'a' isn't the one"):
        verify_keys(ring, store)


def test_a_missing_key_stops_the_start_while_something_needs_it(store: Store) -> None:
    """A key can go when the last credential that was sealed with it has gone."""
    former = KeyRing.from_configuration({"a": GOOD})
    verify_keys(former, store)
    with store.transaction() as connection:
        Vault(former).seal_new(connection, **FIELDS, values={"access_token": "t"})
    later = KeyRing.from_configuration({"b": OTHER})
    with pytest.raises(ConfigurationError, match="aren't configured: a") as caught:
        verify_keys(later, store)
    assert "put the former key back" in caught.value.remedy
    with store.transaction() as connection:
        connection.execute(delete(credentials))
    verify_keys(later, store)


def test_processes_that_start_together_agree(store: Store) -> None:
    """Several processes that leave the first check at once all start, and one check remains."""
    ring = KeyRing.from_configuration({"a": GOOD})
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def start() -> None:
        barrier.wait()
        try:
            verify_keys(ring, store)
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with store.reading() as connection:
        assert connection.scalars(select(key_checks.c.key_id)).all() == ["a"]

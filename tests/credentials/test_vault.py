"""The vault: what it seals opens in its own place, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.sealing import SealedPlace, UnsealError, seal, unseal
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.credentials.tables import credentials
from speckitty_connectors.credentials.vault import CredentialUnreadableError, Vault
from speckitty_connectors.errors import NotFoundError
from speckitty_connectors.store.engine import Store
from testbed.clock import FrozenClock

FIELDS: dict[str, Any] = {"workspace": "w1", "provider": "fake", "host": "fake.example", "kind": "grant"}
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def change(store: Store, credential_id: str, **values: object) -> None:
    with store.transaction() as connection:
        connection.execute(update(credentials).where(credentials.c.id == credential_id).values(**values))


def seal_one(store: Store, vault: Vault, text: str = "t", **fields: str) -> str:
    with store.transaction() as connection:
        return vault.seal_new(connection, **{**FIELDS, **fields}, values={"access_token": text})


def opens(store: Store, vault: Vault, credential_id: str, workspace: str = "w1") -> bool:
    """Say whether it opens; anything but one typed error fails the test."""
    with store.reading() as connection:
        try:
            vault.open(connection, workspace=workspace, credential_id=credential_id)
        except CredentialUnreadableError:
            return False
    return True


def test_what_is_sealed_can_be_opened(store: Store, vault: Vault) -> None:
    """Every value comes back as a secret, with where it belongs and when it ends."""
    with store.transaction() as connection:
        values: Mapping[str, Secret | str] = {"access_token": Secret("a"), "refresh_token": "ü☃\0"}
        credential_id = vault.seal_new(connection, **FIELDS, values=values, expires_at=LATER)
    with store.reading() as connection:
        opened = vault.open(connection, workspace="w1", credential_id=credential_id)
    assert {name: secret.reveal() for name, secret in opened.values.items()} == {
        "access_token": "a",
        "refresh_token": "ü☃\0",
    }
    assert (opened.workspace, opened.id, opened.provider, opened.host) == (
        "w1",
        credential_id,
        "fake",
        "fake.example",
    )
    assert (opened.kind, opened.version, opened.expires_at) == ("grant", 1, LATER)


def test_another_workspace_finds_nothing(store: Store, vault: Vault) -> None:
    """Another workspace's credential is as missing as one that never was."""
    credential_id = seal_one(store, vault)
    with store.reading() as connection:
        for workspace, wanted in (("w2", credential_id), ("", credential_id), ("w1", "nothing")):
            with pytest.raises(NotFoundError):
                vault.open(connection, workspace=workspace, credential_id=wanted)


def test_a_replacement_needs_the_version_it_replaces(store: Store, vault: Vault, clock: FrozenClock) -> None:
    """Of two who refresh the same credential one succeeds, and the other overwrites nothing."""
    credential_id = seal_one(store, vault, "first")
    clock.advance(60)
    outcomes = []
    for text in ("second", "lost"):
        with store.transaction() as connection:
            outcomes.append(
                vault.replace(
                    connection,
                    workspace="w1",
                    credential_id=credential_id,
                    expected_version=1,
                    values={"access_token": text},
                    expires_at=LATER,
                )
            )
    assert outcomes == [True, False]
    with store.reading() as connection:
        opened = vault.open(connection, workspace="w1", credential_id=credential_id)
        row = connection.execute(select(credentials.c.created_at, credentials.c.updated_at)).one()
    assert (opened.values["access_token"].reveal(), opened.version, opened.expires_at) == ("second", 2, LATER)
    assert (row.updated_at - row.created_at).total_seconds() == 60


@pytest.mark.parametrize("workspace", ["w2", "w1"])
def test_what_is_not_there_is_not_replaced(workspace: str, store: Store, vault: Vault) -> None:
    """A foreign or forgotten credential can't be brought back by a replacement."""
    credential_id = seal_one(store, vault)
    with store.transaction() as connection:
        vault.forget(connection, workspace="w1", credential_id=credential_id if workspace == "w1" else "other")
        replaced = vault.replace(
            connection, workspace=workspace, credential_id=credential_id, expected_version=1, values={}
        )
    assert not replaced


def test_forgetting_takes_only_ones_own(store: Store, vault: Vault) -> None:
    """A credential is deleted by its workspace alone."""
    credential_id = seal_one(store, vault)
    with store.transaction() as connection:
        vault.forget(connection, workspace="w2", credential_id=credential_id)
    assert opens(store, vault, credential_id)
    with store.transaction() as connection:
        vault.forget(connection, workspace="w1", credential_id=credential_id)
    with store.reading() as connection, pytest.raises(NotFoundError):
        vault.open(connection, workspace="w1", credential_id=credential_id)


PLACES = [
    pytest.param({}, id="row"),
    pytest.param({"workspace": "w2"}, id="workspace"),
    pytest.param({"workspace": ""}, id="the operator's"),
    pytest.param({"provider": "other"}, id="provider"),
    pytest.param({"host": "other.example"}, id="host"),
    pytest.param({"kind": "webhook_secret"}, id="kind"),
]


@pytest.mark.parametrize("other", PLACES)
@pytest.mark.parametrize("direction", ["there", "back"])
def test_a_value_moved_to_another_row_does_not_open(
    other: dict[str, str], direction: str, store: Store, vault: Vault
) -> None:
    """Swapping sealed values between rows that differ in anything makes both unreadable."""
    here, there = seal_one(store, vault), seal_one(store, vault, **other)
    source, target = (here, there) if direction == "there" else (there, here)
    with store.reading() as connection:
        sealed = connection.scalar(select(credentials.c.sealed).where(credentials.c.id == source))
    change(store, target, sealed=sealed)
    workspace = other.get("workspace", "w1") if target == there else "w1"
    assert not opens(store, vault, target, workspace)
    assert opens(store, vault, source, other.get("workspace", "w1") if source == there else "w1")


@pytest.mark.parametrize(
    "values",
    [
        {"workspace_id": "w2"},
        {"provider": "other"},
        {"host": "other.example"},
        {"kind": "webhook_secret"},
        {"version": 2},
        {"version": 0},
        {"key_id": "other"},
        {"id": "another-id"},
    ],
)
def test_a_row_with_another_label_does_not_open(values: dict[str, object], store: Store, vault: Vault) -> None:
    """Changing what a row says about itself makes its secret unreadable, instead of moving it."""
    credential_id = seal_one(store, vault)
    change(store, credential_id, **values)
    assert not opens(store, vault, str(values.get("id", credential_id)), str(values.get("workspace_id", "w1")))


def test_an_older_value_of_the_same_row_does_not_open(store: Store, vault: Vault) -> None:
    """A refresh token that was replaced can't be put back under the new version."""
    credential_id = seal_one(store, vault, "old")
    with store.transaction() as connection:
        old = connection.scalar(select(credentials.c.sealed))
        vault.replace(
            connection,
            workspace="w1",
            credential_id=credential_id,
            expected_version=1,
            values={"access_token": "new"},
        )
    assert opens(store, vault, credential_id)
    change(store, credential_id, sealed=old)
    assert not opens(store, vault, credential_id)


def test_every_changed_bit_is_noticed(sqlite_store: Store, vault: Vault) -> None:
    """No bit of a sealed value, header included, can be flipped, and none of it cut off."""
    credential_id = seal_one(sqlite_store, vault)
    with sqlite_store.reading() as connection:
        sealed = connection.execute(select(credentials.c.sealed)).scalar_one()
    changed = [
        sealed[:at] + bytes([sealed[at] ^ bit]) + sealed[at + 1 :] for at in range(len(sealed)) for bit in (1, 128)
    ]
    changed += [sealed[:end] for end in range(0, len(sealed), 7)] + [sealed + b"\0", b"", b"\1\xff"]
    for value in changed:
        change(sqlite_store, credential_id, sealed=value)
        assert not opens(sqlite_store, vault, credential_id)


@pytest.mark.parametrize("ring", [{"2027": KeyRing.new_key()}, {"2026": KeyRing.new_key()}])
def test_another_ring_opens_nothing(ring: dict[str, Secret], store: Store, vault: Vault) -> None:
    """Neither a ring without the key nor one with another key under its id reads anything."""
    credential_id = seal_one(store, vault)
    assert not opens(store, Vault(KeyRing.from_configuration(ring)), credential_id)


def test_only_the_key_that_the_header_names_is_tried(store: Store) -> None:
    """A value whose header names another key of the ring doesn't open, although the right one is there."""
    first, second = KeyRing.new_key(), KeyRing.new_key()
    vault = Vault(KeyRing.from_configuration({"aaaa": first, "bbbb": second}, active="aaaa"))
    credential_id = seal_one(store, vault)
    with store.reading() as connection:
        sealed = connection.execute(select(credentials.c.sealed)).scalar_one()
    change(store, credential_id, sealed=sealed.replace(b"aaaa", b"bbbb", 1), key_id="bbbb")
    assert not opens(store, vault, credential_id)


def test_a_ring_with_a_new_active_key_still_opens_what_the_former_sealed(store: Store) -> None:
    """After a new key became active, both it and the former one open what they sealed."""
    first, second = KeyRing.new_key(), KeyRing.new_key()
    former = seal_one(store, Vault(KeyRing.from_configuration({"a": first})))
    vault = Vault(KeyRing.from_configuration({"a": first, "b": second}, active="b"))
    later = seal_one(store, vault)
    assert opens(store, vault, former)
    assert opens(store, vault, later)
    with store.reading() as connection:
        rows = connection.execute(select(credentials.c.id, credentials.c.key_id))
        assert {row.id: row.key_id for row in rows} == {former: "a", later: "b"}


def test_an_unreadable_credential_says_nothing_of_the_cryptography(store: Store, vault: Vault) -> None:
    """The error is the same whatever is wrong, and names a next step."""
    texts = set()
    credential_id = seal_one(store, vault)
    for values in ({"version": 9}, {"sealed": b"\1\4oops"}, {"key_id": "gone"}):
        change(store, credential_id, **values)
        with store.reading() as connection, pytest.raises(CredentialUnreadableError) as caught:
            vault.open(connection, workspace="w1", credential_id=credential_id)
        assert caught.value.__suppress_context__
        texts.add(str(caught.value))
    assert len(texts) == 1
    assert "connect" in texts.pop()


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (
            SealedPlace(table="credentials", column="sealed", row_id="1", provider="ab", host="c"),
            SealedPlace(table="credentials", column="sealed", row_id="1", provider="a", host="bc"),
        ),
        (
            SealedPlace(table="credentials", column="sealed", row_id="1"),
            SealedPlace(table="other", column="sealed", row_id="1"),
        ),
        (
            SealedPlace(table="credentials", column="sealed", row_id="1"),
            SealedPlace(table="credentials", column="other", row_id="1"),
        ),
    ],
    ids=["shifted letters", "table", "column"],
)
def test_places_never_read_the_same(here: SealedPlace, there: SealedPlace, keys: KeyRing) -> None:
    """Parts of a place can't run into each other, and table and column are parts of it."""
    sealed = seal(keys, here, b"x")
    assert unseal(keys, here, sealed) == b"x"
    with pytest.raises(UnsealError):
        unseal(keys, there, sealed)


def test_no_swap_between_any_two_places_opens() -> None:
    """Every value, moved to every place that differs from its own in anything, or to another key, doesn't open."""
    parts = {
        "row_id": ("1", "2"),
        "column": ("sealed", "other"),
        "table": ("credentials", "key_checks"),
        "workspace": ("w1", ""),
        "provider": ("fake", "hosted"),
        "host": ("fake.example", "fake2.example"),
        "kind": ("grant", "link_grant"),
        "version": (1, 2),
    }
    places = [SealedPlace(**dict(zip(parts, chosen, strict=True))) for chosen in product(*parts.values())]  # type: ignore[arg-type]  # of mixed types
    keys = KeyRing.from_configuration({"a": KeyRing.new_key(), "b": KeyRing.new_key()}, active="a")
    sealed = {(place, key_id): seal(keys, place, b"x", key_id=key_id) for place in places for key_id in ("a", "b")}
    assert len(sealed) == 2**9
    for (here, key_id), value in sealed.items():
        assert [place for place in places if is_opened(keys, place, value)] == [here]
        swapped = value.replace(b"\1\1" + key_id.encode(), b"\1\1" + (b"b" if key_id == "a" else b"a"), 1)
        assert not is_opened(keys, here, swapped)


def is_opened(keys: KeyRing, place: SealedPlace, value: bytes) -> bool:
    try:
        return unseal(keys, place, value) == b"x"
    except UnsealError:
        return False


def test_the_same_content_is_never_sealed_alike(store: Store, vault: Vault) -> None:
    """Each row has its own key and nonces."""
    for _ in range(8):
        seal_one(store, vault, "same")
    with store.reading() as connection:
        sealed = connection.scalars(select(credentials.c.sealed)).all()
    assert len({value[-20:] for value in sealed}) == len({value[8:20] for value in sealed}) == 8


def test_no_page_of_the_database_holds_a_secret(sqlite_store: Store, vault: Vault) -> None:
    """The files of the database, with what was deleted and the log that comes before them, show no plain text."""
    canaries = [f"canary-{number}-in-the-clear" for number in range(3)]
    first = seal_one(sqlite_store, vault, canaries[0])
    gone = seal_one(sqlite_store, vault, canaries[1])
    with sqlite_store.transaction() as connection:
        vault.forget(connection, workspace="w1", credential_id=gone)
        vault.replace(
            connection,
            workspace="w1",
            credential_id=first,
            expected_version=1,
            values={"access_token": canaries[2]},
        )
    folder = Path(str(sqlite_store.url.database)).parent
    pages = b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith("connectors.db"))
    assert b"fake.example" in pages
    assert not [canary for canary in canaries if canary.encode() in pages]

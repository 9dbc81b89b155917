"""Who did what, and why: only ever added to, found again, and taken out line by line."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DatabaseError

from speckitty_connectors import Secret
from speckitty_connectors.store import audit as module
from speckitty_connectors.store.audit import Audit, audit, record
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT

DIGEST = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
"""Of the text ``test`` (FIPS 180-4)."""


@pytest.fixture
def kept(store: Store) -> Audit:
    """Five entries of one workspace, a minute apart, and one of another."""
    with store.transaction() as connection:
        for number in range(5):
            record(
                connection,
                workspace="w1",
                at=MOMENT + timedelta(minutes=number),
                actor="member:mona" if number % 2 else "operator",
                verb="link.revoked" if number < 3 else "link.linked",
                entity="link",
                entity_id=f"l{number}",
                reason="because",
                before={"status": "active"},
            )
        record(
            connection,
            workspace="w2",
            at=MOMENT,
            actor="operator",
            verb="link.linked",
            entity="link",
            entity_id="x",
        )
    return Audit(store)


def found(kept: Audit, **narrowed: object) -> list[str]:
    """Return the ids of what is found."""
    return [entry.entity_id for entry in kept.find("w1", **narrowed)]  # type: ignore[arg-type]  # the test's


def test_the_newest_comes_first_and_each_argument_narrows(kept: Audit) -> None:
    """By whom, what, to what, and when; another workspace's is never among them."""
    assert found(kept) == ["l4", "l3", "l2", "l1", "l0"]
    assert found(kept, actor="operator") == ["l4", "l2", "l0"]
    assert found(kept, verb="link.revoked", actor="operator") == ["l2", "l0"]
    assert found(kept, entity="link", entity_id="l3") == ["l3"]
    assert found(kept, since=MOMENT + timedelta(minutes=3)) == ["l4", "l3"]
    assert found(kept, until=MOMENT + timedelta(minutes=1)) == ["l0"]
    assert kept.find("w3") == ()


def test_pages_follow_one_another(kept: Audit) -> None:
    """The last id of a page leads to the next."""
    first = kept.find("w1", limit=2)
    assert [entry.entity_id for entry in first] == ["l4", "l3"]
    assert found(kept, before=first[-1].id, limit=2) == ["l2", "l1"]


def test_an_export_is_complete_and_goes_on_where_it_ended(kept: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """One JSON document a line, the oldest first, whatever the size of a page."""
    monkeypatch.setattr(module, "PAGE", 2)
    documents = [json.loads(line) for line in kept.export("w1")]
    assert [document["entity_id"] for document in documents] == ["l0", "l1", "l2", "l3", "l4"]
    assert documents[0]["at"] == "2026-01-01T00:00:00+00:00"
    assert documents[0]["before"] == {"status": "active"}
    rest = list(kept.export("w1", after=documents[3]["id"]))
    assert [json.loads(line)["entity_id"] for line in rest] == ["l4"]


def test_of_a_secret_only_its_digest_is_written(store: Store) -> None:
    """One sees that it changed, and never what it is."""
    with store.transaction() as connection:
        record(
            connection,
            workspace="w1",
            at=MOMENT,
            actor="operator",
            verb="credential.replaced",
            entity="credential",
            entity_id="c1",
            before={"token": Secret("test")},
            after={"token": Secret("another"), "host": "acme.example"},
        )
    (entry,) = Audit(store).find("w1")
    assert (entry.before, entry.after["host"]) == ({"token": DIGEST}, "acme.example")
    assert entry.after["token"] not in {DIGEST, "another"}


def test_nobody_changes_an_entry(store: Store, kept: Audit) -> None:
    """SQL itself refuses, whatever program asks."""
    before = kept.find("w1")
    with pytest.raises(DatabaseError, match="append-only"), store.transaction() as connection:
        connection.execute(update(audit).values(actor="nobody"))
    assert kept.find("w1") == before

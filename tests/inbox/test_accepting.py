"""Accepting: what a genuine delivery becomes, on both databases."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from speckitty_connectors.inbox.repository import find, load_delivery
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.plugin import BodyHandshake, HexHmac, StandardWebhooks
from speckitty_connectors.store.engine import Store
from testbed.clock import FrozenClock
from testbed.receiving import DOCUMENT, JSON, Receiver
from testbed.webhooks import OTHER, SECRET

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON_AND_FORMS = ("application/json", "application/x-www-form-urlencoded")


@pytest.fixture
def receiver(store: Store) -> Receiver:
    return Receiver(store)


def test_a_delivery_is_stored_with_its_body(receiver: Receiver) -> None:
    """A signed delivery is acknowledged, and everything about it can be read back."""
    answer = receiver.post()
    assert (answer.status, answer.code) == (202, "accepted")
    (row,) = receiver.rows()
    assert (row.workspace_id, row.endpoint_id, row.provider, row.host) == (
        "",
        receiver.endpoint.id,
        "fake",
        "fake.example",
    )
    assert (row.delivery_id, row.kind, row.state, row.outcome) == ("d1", "card", "pending", "")
    assert (row.secret_id, row.body_digest) == (receiver.secret_id, hashlib.sha256(DOCUMENT).digest())
    assert receiver.bodies()[row.id].body == DOCUMENT


def test_only_what_the_manifest_names_is_kept_of_the_headers(store: Store) -> None:
    """Kept headers, kind and id are stored; proofs and secrets never, even where a manifest names them."""
    secretive = ("X-Fake-Hook", "Authorization", "Cookie", "X-Fake-Signature", "Proxy-Authorization")
    receiver = Receiver(store, kept_headers=secretive)
    sent = {**JSON, "X-Fake-Hook": "7", "Authorization": "Bearer x", "Cookie": "a=b", "X-Other": "1"}
    assert receiver.post(headers=sent).status == 202
    (stored,) = receiver.bodies().values()
    assert stored.headers == {"x-fake-event": "card", "x-fake-delivery": "d1", "x-fake-hook": "7"}


def test_an_id_may_stand_in_the_header_of_an_older_version(store: Store) -> None:
    """It counts where the newer header isn't there, and only there."""
    receiver = Receiver(store, former_id_header="X-Fake-Former")
    old = {**JSON, "X-Fake-Former": "d7"}
    assert [receiver.post(delivery=delivery, headers=old).code for delivery in ("", "", "d8")] == [
        "accepted",
        "duplicate",
        "accepted",
    ]
    assert [row.delivery_id for row in receiver.rows()] == ["d7", "d8"]


def test_the_principal_is_the_end_point(receiver: Receiver) -> None:
    """Workspace and installation of a delivery are those of the end point whose secret proved it."""
    endpoint = receiver.add_endpoint(workspace="kitchen", installation_id="i1")
    receiver.add_secret(SECRET, endpoint=endpoint)
    assert receiver.post(endpoint=endpoint).status == 202
    (row,) = receiver.rows()
    assert (row.workspace_id, row.installation_id, row.endpoint_id) == ("kitchen", "i1", endpoint.id)


# --- again -----------------------------------------------------------------------------------------------------


def test_a_second_delivery_of_the_same_id_changes_nothing(receiver: Receiver) -> None:
    """A re-delivery is acknowledged with 200 and stored once."""
    assert [receiver.post().status for _ in range(3)] == [202, 200, 200]
    assert [row.state for row in receiver.rows()] == ["pending"]


def test_simultaneous_deliveries_of_one_id_are_stored_once(receiver: Receiver) -> None:
    """Of several requests at the same moment exactly one is new."""
    with ThreadPoolExecutor(4) as threads:
        statuses = [future.result().status for future in [threads.submit(receiver.post) for _ in range(12)]]
    assert sorted(statuses) == [200] * 11 + [202]
    assert len(receiver.rows()) == len(receiver.bodies()) == 1


@pytest.mark.parametrize(("state", "afterwards"), [("parked", "pending"), ("done", "done"), ("running", "running")])
def test_a_redelivery_wakes_a_parked_row_only(receiver: Receiver, state: str, afterwards: str) -> None:
    """What was parked is due again with all its attempts; what is done or under way stays as it is."""
    receiver.post()
    with receiver.store.transaction() as connection:
        connection.execute(update(inbox).values(state=state, attempts=5))
    assert receiver.post().code == "duplicate"
    (row,) = receiver.rows()
    assert (row.state, row.attempts) == (afterwards, 0 if state == "parked" else 5)


def test_the_same_id_with_other_content_is_kept_beside_the_first(receiver: Receiver) -> None:
    """Two contents under one id are both stored; the second is marked for a person to look at."""
    other = DOCUMENT.replace(b"moved", b"closed")
    assert receiver.post().code == "accepted"
    assert [receiver.post(other).code for _ in range(2)] == ["conflict", "conflict"]
    assert receiver.post(kind="list").code == "conflict"
    first, *conflicts = receiver.rows()
    assert (first.outcome_reason, [row.outcome_reason for row in conflicts]) == ("", ["conflict", "conflict"])
    assert conflicts[0].delivery_id == "d1#" + hashlib.sha256(other).hexdigest()
    assert receiver.bodies()[conflicts[0].id].body == other


def test_where_ids_are_an_accounts_own_other_content_is_another_delivery(store: Store) -> None:
    """Two accounts may use one id: both deliveries are routed, and each is known again when it is sent again."""
    receiver = Receiver(store, delivery_id_per_account=True)
    other = DOCUMENT.replace(b"moved", b"closed")
    codes = [receiver.post(body).code for body in (DOCUMENT, other, DOCUMENT, other)]
    assert codes == ["accepted", "accepted", "duplicate", "duplicate"]
    assert [row.state for row in receiver.rows()] == ["pending", "pending"]


def test_the_same_content_under_another_id_is_not_run_again(receiver: Receiver) -> None:
    """Where neither id nor time is signed, a copy under a fresh id is stored for a person to look at."""
    receiver.post(delivery="d1")
    assert receiver.post(delivery="d2").status == 202
    assert [row.outcome_reason for row in receiver.rows()] == ["", "replay_suspect"]
    assert len(receiver.bodies()) == 2


@pytest.mark.parametrize("first", ["card", "unwanted"])
def test_the_same_content_under_another_kind_is_not_run(store: Store, first: str) -> None:
    """The kind's header isn't signed: a captured body under another kind waits for a person."""
    receiver = Receiver(store, routed_kinds=frozenset({"card", "account"}))
    receiver.post(kind=first, delivery="d1")
    assert receiver.post(kind="account", delivery="d2").status == 202
    assert receiver.post(kind="account", delivery="d1").code == "conflict"
    assert [row.outcome_reason for row in receiver.rows()[1:]] == ["replay_suspect", "conflict"]


def test_where_the_id_is_signed_the_same_content_may_come_again(store: Store) -> None:
    """With an id and a time in the signature, equal content under two ids is two deliveries."""
    receiver = Receiver(store, schemes={"standard": StandardWebhooks()}, delivery_id_header="webhook-id")
    assert [receiver.post(delivery=name).code for name in ("m1", "m2")] == ["accepted", "accepted"]
    assert {row.state for row in receiver.rows()} == {"pending"}


def test_end_points_do_not_disturb_each_other(receiver: Receiver) -> None:
    """One principal's delivery ids and contents mean nothing to another."""
    other = receiver.add_endpoint()
    receiver.add_secret(OTHER, endpoint=other)
    assert receiver.post(DOCUMENT.replace(b"b1", b"b2")).code == "accepted"
    assert receiver.post(endpoint=other, secret=OTHER).code == "accepted"
    assert (
        receiver.post(DOCUMENT.replace(b"b1", b"b2"), endpoint=other, secret=OTHER, delivery="d2").code
        == "accepted"
    )
    assert {row.state for row in receiver.rows()} == {"pending"}


# --- ids, kinds, handshakes, forms -----------------------------------------------------------------------------


def test_without_an_id_the_digest_stands_for_it(receiver: Receiver) -> None:
    """A delivery without an id is known by its content."""
    assert [receiver.post(delivery="").code for _ in range(2)] == ["accepted", "duplicate"]
    (row,) = receiver.rows()
    assert row.delivery_id == "sha256:" + hashlib.sha256(DOCUMENT).hexdigest()


def test_the_id_may_stand_in_the_document(store: Store) -> None:
    """Where no header has the id, the manifest's field of the document does."""
    receiver = Receiver(store, delivery_id_header="", delivery_id_field="event_id")
    assert receiver.post(b'{"event_id": "Ev1", "data": {"event_id": "Ev2"}}').code == "accepted"
    assert receiver.post(b'{"event_id": "Ev1", "data": {"event_id": "Ev2"}}').code == "duplicate"
    assert receiver.rows()[0].delivery_id == "Ev1"


@pytest.mark.parametrize("kind", ["heartbeat", "list"])
def test_kinds_that_nobody_routes_are_recorded_without_their_body(store: Store, kind: str) -> None:
    """A kind that the manifest or the host's settings leave out is finished at once, with the reason."""
    receiver = Receiver(store, routed_kinds=frozenset({"card"}))
    assert receiver.post(kind=kind).code == "ignored"
    assert receiver.post(kind=kind).code == "duplicate"
    assert receiver.post(delivery="d2").code == "accepted"
    row, routed = receiver.rows()
    assert (row.state, row.outcome, bool(row.outcome_reason)) == ("done", "ignored", True)
    assert list(receiver.bodies()) == [routed.id]


CHALLENGE = BodyHandshake(field="type", value="url_verification", answer_field="challenge")


def test_a_signed_challenge_is_answered_and_not_stored(store: Store) -> None:
    """The handshake echoes its field, only for who holds the secret, and only where there is something to echo."""
    receiver = Receiver(store, handshake=CHALLENGE)
    body = b'{"type": "url_verification", "challenge": "3eZbrw1aB"}'
    answer = receiver.post(body)
    assert (answer.status, answer.content_type, answer.body) == (200, "text/plain", "3eZbrw1aB")
    assert receiver.post(body, secret=OTHER).status == 403
    assert receiver.post(b'{"type": "url_verification", "challenge": 7}').status == 400
    assert not receiver.rows()


def test_a_form_holds_the_document_in_its_field(store: Store) -> None:
    """The field's value, decoded, is what the plugin will see; the signature covers the form as it was sent."""
    receiver = Receiver(store, content_types=JSON_AND_FORMS, form_field="payload")
    assert (
        receiver.post(b"payload=%7B%22board%22%3A+%7B%22id%22%3A+%22b1%22%7D%7D&extra=1", headers=FORM).status
        == 202
    )
    (row,) = receiver.rows()
    with receiver.store.reading() as connection:
        delivery = load_delivery(connection, row.workspace_id, row.id, receiver.manifest)
    assert (delivery.content, delivery.fields) == (b'{"board": {"id": "b1"}}', {"extra": "1"})


def test_a_form_may_have_fields_only(store: Store) -> None:
    """Forms without the document's field become fields."""
    receiver = Receiver(store, content_types=JSON_AND_FORMS, form_field="payload", delivery_id_header="")
    assert receiver.post(b"command=%2Fdeploy&text=", headers=FORM).status == 202
    (row,) = receiver.rows()
    with receiver.store.reading() as connection:
        delivery = load_delivery(connection, row.workspace_id, row.id, receiver.manifest)
    assert (delivery.content, delivery.fields) == (b"", {"command": "/deploy", "text": ""})


# --- reading back ----------------------------------------------------------------------------------------------


def test_a_delivery_is_read_back_as_the_plugin_sees_it(receiver: Receiver) -> None:
    """What `route_event` gets is what was verified, with kept headers and the time of arrival."""
    receiver.post()
    (row,) = receiver.rows()
    with receiver.store.reading() as connection:
        delivery = load_delivery(connection, row.workspace_id, row.id, receiver.manifest)
        stored = find(connection, row.workspace_id, row.id)
        assert find(connection, "another", row.id) is None
    assert (delivery.provider, delivery.host, delivery.kind, delivery.content) == (
        "fake",
        "fake.example",
        "card",
        DOCUMENT,
    )
    assert delivery.headers == {"x-fake-event": "card", "x-fake-delivery": "d1"}
    assert stored is not None
    assert (stored.id, stored.secret_id, stored.state) == (row.id, receiver.secret_id, "pending")
    assert stored.received_at == delivery.received_at


def test_recorded_bodies_are_all_accepted(store: Store, corpus: Path) -> None:
    """The strict look at the document refuses nothing that providers have really sent."""
    receiver = Receiver(store, schemes={"secret": HexHmac(header="X-Signature")})
    files = [path for path in sorted(corpus.glob("*/*.json")) if path.name != "index.json"]
    answers = {path.name: receiver.post(path.read_bytes(), delivery=path.name).status for path in files}
    assert files
    assert set(answers.values()) == {202}


def test_arrival_is_told_by_the_stores_clock(database_url: str, clock: FrozenClock) -> None:
    """The time of arrival is that of the injected clock, in UTC."""
    store = Store(database_url, clock=clock)
    receiver = Receiver(store)
    receiver.post()
    assert receiver.rows()[0].received_at == clock.moment
    store.close()

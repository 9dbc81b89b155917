"""Secrets come and go without a dropped delivery, and stop when they should."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, update

from speckitty_connectors.apps.endpoints import forget_secret, retire_secret
from speckitty_connectors.credentials.tables import endpoints
from speckitty_connectors.plugin import PlainToken, StandardWebhooks
from speckitty_connectors.store.engine import Store
from testbed.clock import FrozenClock
from testbed.receiving import DOCUMENT, Receiver
from testbed.webhooks import OTHER, SECRET


@pytest.fixture
def receiver(database_url: str, clock: FrozenClock) -> Iterator[Receiver]:
    """A receiver whose clock stands still until the test moves it."""
    with closing(Store(database_url, clock=clock)) as store:
        yield Receiver(store)


def retire(receiver: Receiver, clock: FrozenClock, *, seconds: float) -> None:
    """Let the first secret end after so many seconds."""
    with receiver.store.transaction() as connection:
        retire_secret(connection, receiver.endpoint, receiver.secret_id, at=clock() + timedelta(seconds=seconds))


def test_two_secrets_hold_at_once(receiver: Receiver) -> None:
    """While one secret replaces another both prove a delivery, and the row says which one did."""
    second = receiver.add_secret(OTHER)
    assert receiver.post(delivery="d1").status == 202
    assert receiver.post(DOCUMENT + b" ", delivery="d2", secret=OTHER).status == 202
    assert [row.secret_id for row in receiver.rows()] == [receiver.secret_id, second.credential_id]


def test_a_new_secret_holds_at_once(receiver: Receiver) -> None:
    """A secret that was added a moment ago is accepted, although the end point's secrets were read before."""
    assert receiver.post(delivery="d1").status == 202
    assert receiver.post(delivery="d2", secret=OTHER).status == 403
    receiver.add_secret(OTHER)
    assert receiver.post(delivery="d3", secret=OTHER).status == 202


def test_a_retired_secret_stops_at_its_end(receiver: Receiver, clock: FrozenClock) -> None:
    """Until its end a retired secret proves deliveries, from then on it doesn't, also where it was read before."""
    receiver.add_secret(OTHER)
    retire(receiver, clock, seconds=10)
    assert receiver.post(delivery="d1").status == 202
    clock.advance(9.999)
    assert receiver.post(delivery="d2").status == 202
    clock.advance(0.001)
    assert receiver.post(delivery="d3").status == 403
    assert receiver.post(delivery="d3", secret=OTHER).status == 202


def test_no_delivery_is_refused_while_secrets_rotate(receiver: Receiver, clock: FrozenClock) -> None:
    """The operator adds, the provider switches, the old secret ends: every delivery of the whole time is taken."""
    statuses = []
    for number in range(60):
        if number == 20:
            receiver.add_secret(OTHER)
            retire(receiver, clock, seconds=20)
        secret = SECRET if number < 35 else OTHER
        statuses.append(receiver.post(DOCUMENT + b" " * number, delivery=str(number), secret=secret).status)
        clock.advance(1)
    assert set(statuses) == {202}
    assert receiver.post(delivery="late").status == 403


@pytest.mark.parametrize("ended_by", ["withdrawal", "disabling"])
def test_what_ends_without_notice_is_forgotten_soon(receiver: Receiver, clock: FrozenClock, ended_by: str) -> None:
    """A withdrawn secret and a disabled end point are refused half a minute later at the latest."""
    assert receiver.post(delivery="d1").status == 202
    with receiver.store.transaction() as connection:
        if ended_by == "withdrawal":
            forget_secret(connection, receiver.vault, receiver.endpoint, receiver.secret_id)
        else:
            connection.execute(update(endpoints).values(disabled_at=clock()))
    clock.advance(30)
    assert receiver.post(delivery="d2").status == 403


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that read."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def test_secrets_are_read_once_in_a_while(receiver: Receiver, clock: FrozenClock) -> None:
    """Deliveries in quick succession ask for no credential; after half a minute the next one does."""
    assert receiver.post(delivery="d1").status == 202
    with counted(receiver.store.engine) as statements:
        assert receiver.post(DOCUMENT + b" ", delivery="d2").status == 202
        assert not statements
        clock.advance(30)
        assert receiver.post(DOCUMENT + b"  ", delivery="d3").status == 202
        assert any("endpoint_secrets" in statement for statement in statements)


# --- which scheme counts ---------------------------------------------------------------------------------------

BOTH = {"signing": StandardWebhooks(), "token": PlainToken(header="X-Fake-Token")}


@pytest.fixture
def two_schemes(database_url: str, clock: FrozenClock) -> Iterator[Receiver]:
    """A receiver whose provider knows a strong and a weak scheme; its end point has a secret for the weak one."""
    with closing(Store(database_url, clock=clock)) as store:
        receiver = Receiver(store, schemes=BOTH, scheme="token", delivery_id_header="webhook-id")
        yield receiver


def test_the_weak_scheme_holds_alone(two_schemes: Receiver) -> None:
    """An end point with a secret for the weak scheme alone takes no signature of the strong one."""
    assert two_schemes.post(delivery="d1", scheme="token").status == 202
    assert two_schemes.post(delivery="d2", scheme="signing").status == 403


def test_the_strong_scheme_ends_the_weak_one(two_schemes: Receiver) -> None:
    """From the first secret for the strong scheme on, the weak one proves nothing, whatever else is sent."""
    assert two_schemes.post(delivery="d1", scheme="token").status == 202
    two_schemes.add_secret(OTHER, scheme="signing")
    assert two_schemes.post(delivery="d2", scheme="signing", secret=OTHER).status == 202
    weak = two_schemes.signed(delivery="d3", scheme="token")
    wrong = two_schemes.signed(delivery="d3", scheme="signing")
    for headers in (weak, {**weak, **wrong}, {**weak, "webhook-signature": ""}):
        assert two_schemes.send(list(headers.items()), DOCUMENT).status == 403


def test_the_end_of_the_strong_secret_is_no_way_back(two_schemes: Receiver, clock: FrozenClock) -> None:
    """When the strong scheme's last secret retires nothing is accepted, rather than less proof."""
    strong = two_schemes.add_secret(OTHER, scheme="signing")
    with two_schemes.store.transaction() as connection:
        retire_secret(connection, two_schemes.endpoint, strong.credential_id, at=clock())
    assert two_schemes.post(delivery="d1", scheme="token").status == 403
    assert two_schemes.post(delivery="d1", scheme="signing", secret=OTHER).status == 403

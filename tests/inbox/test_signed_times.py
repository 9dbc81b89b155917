"""Signed times: what is too old, too new, or no time at all."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import datetime, timedelta

import pytest

from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.providers.signatures import SignatureScheme, StandardWebhooks
from speckitty_connectors.store.engine import Store
from testbed.receiving import JSON, Receiver
from testbed.webhooks import BODY, LINEAR, NOW, NOW_SECONDS, SECRET, SLACK, accepted, lowered, signed

TIMED: dict[str, tuple[SignatureScheme, int]] = {
    "linear": (LINEAR, 60),
    "slack": (SLACK, 300),
    "standard": (StandardWebhooks(), 300),
}


def sent_at(scheme: SignatureScheme, moment: datetime) -> tuple[dict[str, str], bytes]:
    body = json.dumps({"webhookTimestamp": int(moment.timestamp()) * 1000}).encode()
    return signed(scheme, body=body, now=moment), body


@pytest.mark.parametrize(("scheme", "tolerance"), TIMED.values(), ids=TIMED)
def test_old_and_future_requests_are_refused(scheme: SignatureScheme, tolerance: int) -> None:
    """A signed time may differ by the tolerance in either direction, and by no second more."""
    for seconds in (-tolerance, tolerance):
        headers, body = sent_at(scheme, NOW + timedelta(seconds=seconds))
        assert accepted(scheme, headers, body=body)
    for seconds in (-tolerance - 1, tolerance + 1, -600, 600, -86_400):
        headers, body = sent_at(scheme, NOW + timedelta(seconds=seconds))
        assert not accepted(scheme, headers, body=body)


@pytest.mark.parametrize("scheme", [SLACK, StandardWebhooks(), LINEAR], ids=["slack", "standard", "linear"])
def test_a_setting_says_how_wrong_a_clock_may_be(store: Store, scheme: SignatureScheme) -> None:
    """A host's clock that is off by more than its plugin allows is borne with where the operator says so."""
    sent = store.now() - timedelta(seconds=500)
    body = json.dumps({"webhookTimestamp": int(sent.timestamp()) * 1000}).encode()
    headers = {**JSON, **sign(scheme, SECRET, body, now=sent, headers=JSON)}
    statuses = []
    for tolerances in ({}, {"other": 900}, {"fake": 900}):
        receiver = Receiver(store, schemes={"signed": scheme}, tolerances=tolerances)
        statuses.append(receiver.send(list(headers.items()), body).status)
    assert statuses == [403, 403, 202]


ODD_STAMPS = ["NaN", "nan", "inf", "1e9", "", " ", "+1", "-1", "0x10", "1_0", "0", "9" * 16, "9" * 5000]
ODD_STAMPS += [f"{NOW_SECONDS}.0", f" {NOW_SECONDS}", f"{NOW_SECONDS} ", f"-{NOW_SECONDS}", f"+{NOW_SECONDS}"]
ODD_STAMPS += [str(NOW_SECONDS).replace("1", one) for one in ("\uff11", "\u0661", "\u00b9")]


@pytest.mark.parametrize("stamp", ODD_STAMPS)
def test_odd_times_are_refused(stamp: str) -> None:
    """A time that isn't plain ASCII digits near to now is refused, although it was signed."""
    key = SECRET.reveal_bytes()
    slack = hmac.new(key, f"v0:{stamp}:".encode() + BODY, "sha256").hexdigest()
    assert not accepted(SLACK, {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={slack}"})
    mac = hmac.new(bytes(range(32)), f"msg_1.{stamp}.".encode() + BODY, "sha256").digest()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp}
    headers["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
    assert not accepted(StandardWebhooks(), headers)


NOW_MILLISECONDS = NOW_SECONDS * 1000
ODD_DOCUMENTS = [
    b"",
    b"\xff",
    b"not JSON",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b'{"webhookTimestamp": null}',
    b'{"webhookTimestamp": true}',
    b'{"webhookTimestamp": NaN}',
    b'{"webhookTimestamp": 1e400}',
    b'{"webhookTimestamp": "%d"}' % NOW_MILLISECONDS,
    b'{"webhookTimestamp": %d.0}' % NOW_MILLISECONDS,
    b'{"webhookTimestamp": -%d}' % NOW_MILLISECONDS,
    b'{"webhookTimestamp": [%d]}' % NOW_MILLISECONDS,
    b'{"webhookTimestamp": %d}' % NOW_SECONDS,
    b'{"webhookTimestamp": %d%s}' % (NOW_MILLISECONDS, b"0" * 30),
    b'{"data": {"webhookTimestamp": %d}}' % NOW_MILLISECONDS,
]


@pytest.mark.parametrize("body", ODD_DOCUMENTS, ids=range(len(ODD_DOCUMENTS)))
def test_a_document_must_state_its_time(body: bytes) -> None:
    """Where the time is inside the signed document, one that is missing or no whole number is a refusal."""
    assert not accepted(LINEAR, signed(LINEAR, body=body), body=body)


def test_a_fresh_header_does_not_rescue_a_stale_document() -> None:
    """Linear's own time header isn't signed, so it is never looked at."""
    headers, body = sent_at(LINEAR, NOW - timedelta(hours=1))
    assert not accepted(LINEAR, {**headers, "linear-timestamp": str(NOW_MILLISECONDS)}, body=body)


def test_the_id_cannot_move_the_borders_of_what_was_signed() -> None:
    """A full stop in the message id is refused: ``id.time.body`` could be read in two ways."""
    headers = lowered(sign(StandardWebhooks(), SECRET, BODY, now=NOW, headers={"webhook-id": "msg.1"}))
    assert not accepted(StandardWebhooks(), headers)

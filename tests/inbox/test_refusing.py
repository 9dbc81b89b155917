"""Refusing: whatever a stranger sends ends in a typed 4xx, and nothing of it is stored."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.inbox.request import read_body
from speckitty_connectors.inbox.responses import BodyTooSlowError
from speckitty_connectors.store.engine import Store
from testbed.receiving import DOCUMENT, JSON, Receiver
from testbed.webhooks import OTHER, SECRET

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LIMIT = 400_000


@pytest.fixture
def receiver(sqlite_store: Store) -> Receiver:
    types = ("application/json", "application/x-www-form-urlencoded")
    return Receiver(sqlite_store, content_types=types, form_field="payload", body_limit=LIMIT)


# --- strangers -------------------------------------------------------------------------------------------------


def test_a_stranger_learns_nothing_about_end_points(receiver: Receiver) -> None:
    """A wrong signature, none at all, and an end point that doesn't exist get one and the same answer."""
    wrong = receiver.post(secret=OTHER)
    without = receiver.send(list(JSON.items()), DOCUMENT)
    assert (wrong.status, wrong.code) == (403, "signature_refused")
    names = [
        "",
        "unknown",
        receiver.endpoint.id[:-1],
        receiver.endpoint.id.upper(),
        "a\x00b",
        "\ud800",
        "é",
        "x" * 9999,
    ]
    unknown = [receiver.send(list(receiver.signed().items()), DOCUMENT, endpoint_id=name) for name in names]
    assert all(answer == wrong for answer in (without, *unknown))
    assert not receiver.rows()


def test_an_end_point_without_a_secret_accepts_nothing(receiver: Receiver) -> None:
    """As long as an end point has no secret it refuses like one that doesn't exist."""
    assert receiver.post(endpoint=receiver.add_endpoint()).status == 403


@pytest.mark.parametrize("provider", ["unknown", "", "FAKE", "fa\x00ke", "../fake", "é"])
def test_an_unknown_provider_is_not_found(receiver: Receiver, provider: str) -> None:
    """A path that names no installed plugin is answered with 404."""
    answer = receiver.send(list(receiver.signed().items()), DOCUMENT, provider=provider)
    assert (answer.status, answer.code) == (404, "provider_unknown")


# --- headers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["X-Fake-Signature", "x-fake-event", "X-FAKE-DELIVERY", "Content-Type", "Content-Encoding"]
)
def test_a_header_that_counts_may_stand_once(receiver: Receiver, name: str) -> None:
    """Of two headers of one name neither is taken, even if both are equal."""
    good = {**receiver.signed(), "Content-Encoding": "identity"}
    value = {header.lower(): text for header, text in good.items()}[name.lower()]
    answer = receiver.send([*good.items(), (name, value)], DOCUMENT)
    assert (answer.status, answer.code) == (400, "header_refused")
    assert receiver.send([*good.items(), ("X-Other", "1"), ("X-Other", "2")], DOCUMENT).status == 202


@pytest.mark.parametrize("value", ["é", "a\x00b", "a\nb", "a\x7f", "\ud800", "\uff11", "x" * 9000])
@pytest.mark.parametrize("name", ["X-Fake-Event", "X-Fake-Delivery", "X-Fake-Signature", "Content-Type"])
def test_odd_header_values_are_refused(receiver: Receiver, name: str, value: str) -> None:
    """A header that counts is printable ASCII of bounded length."""
    answer = receiver.send(list({**receiver.signed(), name: value}.items()), DOCUMENT)
    assert (answer.status, answer.code) == (400, "header_refused")


def test_a_request_with_hundreds_of_headers_is_refused(receiver: Receiver) -> None:
    """However small they are; and a hundred that don't count are left aside."""
    for count, status in ((100, 202), (100_000, 400)):
        further = [(f"X-{number}", "") for number in range(count)]
        assert receiver.send([*further, *receiver.signed().items()], DOCUMENT).status == status


@pytest.mark.parametrize("changes", [{"delivery": "d" * 256}, {"delivery": "d#1"}, {"kind": "k" * 256}])
def test_long_names_are_refused(receiver: Receiver, changes: dict[str, Any]) -> None:
    """An id or a kind beyond 255 characters, or an id with our own mark in it, is refused."""
    answer = receiver.post(**changes)
    assert (answer.status, answer.code) == (400, "header_refused")
    assert not receiver.rows()


@pytest.mark.parametrize(
    "changes",
    [
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
        {"Content-Encoding": "identity, gzip"},
        {"Content-Encoding": ""},
    ],
)
def test_other_media_types_and_compression_are_refused(receiver: Receiver, changes: dict[str, str]) -> None:
    """Only the manifest's media types are taken, and never compressed."""
    answer = receiver.send(list({**receiver.signed(), **changes}.items()), DOCUMENT)
    assert (answer.status, answer.code) == (415, "media_type_refused")


def test_parameters_and_case_of_the_media_type_do_not_matter(receiver: Receiver) -> None:
    """``Application/JSON; charset=utf-8`` is JSON."""
    assert receiver.post(headers={"content-type": "Application/JSON; charset=utf-8"}).status == 202


def test_without_a_media_type_nothing_is_taken(receiver: Receiver) -> None:
    """A request that doesn't say what it holds is refused."""
    assert receiver.post(headers={}).status == 415


# --- bodies ----------------------------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A body without an end, which counts what was read of it."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1, /) -> bytes:
        assert size > 0
        self.taken += size
        return b"x" * size


class Dripping(Endless):
    """A body that comes byte by byte."""

    def read(self, size: int = -1, /) -> bytes:
        return super().read(min(size, 1))


def test_an_endless_body_is_read_to_the_limit_only(receiver: Receiver) -> None:
    """Reading stops one byte past the limit, whatever the request says of its length."""
    body = Endless()
    answer = receiver.send([*receiver.signed().items(), ("Content-Length", "2")], body)
    assert (answer.status, answer.code, body.taken) == (413, "body_too_large", LIMIT + 1)


def test_the_limit_itself_is_accepted(receiver: Receiver) -> None:
    """A body of exactly the limit passes, one byte more doesn't; streamed or not."""
    body = DOCUMENT.ljust(LIMIT)
    for streamed in (False, True):
        sent = [io.BytesIO(each) if streamed else each for each in (body, body + b" ")]
        answers = [
            receiver.send(list(receiver.signed(body, delivery=f"d{streamed}").items()), each) for each in sent
        ]
        assert [answer.status for answer in answers] == [202, 413]


def test_a_stream_may_come_in_pieces(receiver: Receiver) -> None:
    """What arrives byte by byte is the same body."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    assert receiver.send(list(receiver.signed().items()), Slow(DOCUMENT)).status == 202
    assert next(iter(receiver.bodies().values())).body == DOCUMENT


def test_a_body_that_never_gets_on_is_given_up() -> None:
    """A stranger who sends a little now and then can't hold a thread for as long as it takes to reach the limit."""
    now = itertools.count(step=4)
    body = Dripping()
    with pytest.raises(BodyTooSlowError) as caught:
        read_body(body, LIMIT, seconds=lambda: float(next(now)))
    assert (caught.value.status, body.taken) == (408, 3)


def test_a_broken_connection_is_a_bad_request(receiver: Receiver) -> None:
    """A body that ends with an error is refused, not an error of ours."""

    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise ConnectionResetError

    assert receiver.send(list(receiver.signed().items()), Broken()).status == 400


HOSTILE = {
    "nothing": b"",
    "blank": b"  ",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "deep inside": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "open": b'{"a": [1, 2',
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "NUL": b'{"a": "\x00"}',
    "NUL after": b"{}\x00",
    "two documents": b"{}{}",
    "trailing comma": b'{"a": 1,}',
    "comment": b"{} // x",
    "single quotes": b"{'a': 1}",
    "leading zero": b'{"a": 01}',
    "list": b"[1]",
    "text": b'"x"',
    "null": b"null",
    "form": b"payload=%7B%7D",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_signed_body_that_is_no_json_object_is_refused(receiver: Receiver, body: bytes) -> None:
    """What isn't JSON is refused though signed; unsigned it isn't even looked at."""
    answer = receiver.post(body)
    assert (answer.status, answer.code) == (400, "document_refused")
    assert receiver.post(body, secret=OTHER).code == "signature_refused"
    assert not receiver.rows()


NO_TEXT = {
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-8 of a surrogate": b'{"a": "\xed\xa0\x80"}',
    "overlong": b'{"a": "\xc0\xaf"}',
    "not UTF-8 in a name": b'{"\xff": 1}',
    "lone surrogate": b'{"a": "\\ud800"}',
}


@pytest.mark.parametrize("body", NO_TEXT.values(), ids=NO_TEXT)
def test_a_signed_object_is_stored_though_not_all_in_it_is_text(receiver: Receiver, body: bytes) -> None:
    """The provider said it, so it is kept, byte for byte; unsigned it isn't even looked at."""
    assert receiver.post(body, secret=OTHER).code == "signature_refused"
    assert receiver.post(body).status == 202
    assert [stored.body for stored in receiver.bodies().values()] == [body]


HOSTILE_FORMS = {
    "nothing": b"",
    "two payloads": b"payload=%7B%7D&payload=%7B%7D",
    "two of another field": b"payload=%7B%7D&a=1&a=2",
    "two payloads, one written otherwise": b"payload=%7B%7D&p%61yload=%7B%7D",
    "empty payload": b"payload=",
    "payload that isn't JSON": b"payload=x",
    "deep payload": b"payload=" + b"[" * 100_000,
    "too many fields": b"&".join(b"f%d=" % number for number in range(1001)),
    "200 000 blanks": b"&" * 200_000,
    "no fields": b"just text",
    "not UTF-8": b"payload=%ff",
    "raw bytes": b"payload=\xc3\xa9",
    "JSON": b'{"a": 1}',
}


@pytest.mark.parametrize("body", HOSTILE_FORMS.values(), ids=HOSTILE_FORMS)
def test_a_signed_form_that_can_be_read_in_two_ways_is_refused(receiver: Receiver, body: bytes) -> None:
    """A form has a bounded number of fields, each once, and its payload is JSON."""
    answer = receiver.post(body, headers=FORM)
    assert (answer.status, answer.code) == (400, "document_refused")
    assert not receiver.rows()


def test_a_form_is_taken_only_where_the_manifest_lists_it(sqlite_store: Store) -> None:
    """A provider that sends JSON only can't be made to read a form."""
    receiver = Receiver(sqlite_store, form_field="payload")
    assert receiver.post(b"payload=%7B%7D", headers=FORM).status == 415


def test_an_odd_id_in_the_document_is_refused(sqlite_store: Store) -> None:
    """An id from the document has to be as plain as one from a header; another type is no id."""
    receiver = Receiver(sqlite_store, delivery_id_header="", delivery_id_field="id")
    for odd in ("é", "\x00", "a#b", "x" * 256):
        assert receiver.post(json.dumps({"id": odd}).encode()).status == 400
    assert receiver.post(b'{"id": 7}').status == 202
    assert receiver.rows()[0].delivery_id.startswith("sha256:")


# --- everything at once ----------------------------------------------------------------------------------------

HEADER_CHANGES: tuple[dict[str, str], ...] = (
    {},
    {"X-Fake-Signature": ""},
    {"X-Fake-Signature": "sha256=" + "0" * 64},
    {"X-Fake-Signature": "sha1=" + "0" * 40},
    {"X-Fake-Signature": "é"},
    {"X-Fake-Event": "\x00"},
    {"X-Fake-Delivery": "#" * 300},
    {"Content-Type": "text/html"},
    {"Content-Type": FORM["Content-Type"]},
    {"Content-Encoding": "gzip"},
    {"Authorization": "Bearer x"},
)
SCRAPS = (b"[", b'{"a":', b"\xff", b"\x00", b"NaN", b"payload=", b"%ff", b"\xef\xbb\xbf", b"\\ud800", b"1e999")
BODIES = st.builds(
    # what ends with "&" is neither JSON nor a form
    lambda scrap, times, rest: scrap * times + rest + b"&",
    st.sampled_from(SCRAPS),
    st.sampled_from([1, 2, 1500]),
    st.binary(max_size=16),
)


@pytest.mark.soak
def test_eleven_thousand_hostile_requests(receiver: Receiver) -> None:
    """Any mixture of odd bodies, odd headers and good or bad signatures ends in a typed 4xx; nothing is stored."""

    @settings(max_examples=1000, deadline=None, database=None)
    @given(body=BODIES, secret=st.sampled_from([SECRET, OTHER]), repeated=st.booleans())
    def refuse(body: bytes, secret: Secret, repeated: bool) -> None:
        signed = receiver.signed(body, secret=secret)
        for changes in HEADER_CHANGES:
            headers = list({**signed, **changes}.items())
            answer = receiver.send(headers + headers[-1:] * repeated, body)
            assert 400 <= answer.status < 500, (answer, changes)
            assert answer.code.endswith("_refused")

    refuse()
    assert not receiver.rows()

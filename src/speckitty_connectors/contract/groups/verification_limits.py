"""V: whatever a stranger sends, only the typed refusal comes back, and it tells nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import evolve

from ...inbox.request import CHUNK_BYTES
from ...inbox.signatures import headers_read
from ..mutations import unreadable
from ..receiver import SECRET, STRANGERS_SECRET, time_in_body
from ..recordings import Recording
from ..rules import NotApplicableError, Over, require, rule
from ..subject import SchemeCase
from .verification import ACCEPTED, ANSWERED, REFUSED, Proving

LOGGER = "speckitty_connectors"

ODD_VALUES = (
    "é",
    "\x00",
    "\r\n",
    "\x7f",
    "\ud800",
    "\uff11\uff12",
    "x" * 100_000,
    " ",
    ",",
    "=",
    "v1,",
    "Bearer ",
    "٣" * 64,
)
"""Header values that some parser or comparison chokes on."""

ODD_BODIES = (
    b"",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"[]",
    b"null",
    b"1e400",
    b"{",
    b'{"a": NaN}',
    b'{"a": "\\ud800"}',
    b'{"a": 1, "a": 2}',
    b"\x00" * 100,
)
"""Bodies that aren't the document that a provider sends."""

DEPTH = 100_000


class VerificationLimitRules(Proving):
    """Refusals."""

    @rule("V14", over=Over.SCHEMES)
    def test_v14_hostile_headers_are_refused(self, scheme: SchemeCase) -> None:
        """Whatever stands in the headers, the answer is the typed refusal.

        Non-ASCII letters, controls, digits of other scripts and very long values are tried in every header that is
        read, and thousands of headers that aren't.
        Why: a comparison of "é" raises in Python, and an error is an answer that a stranger can ask for.
        Fix: leave the reading of headers to core.
        """
        endpoint, request = self.endpoint(scheme), self.genuine(scheme)
        for name in headers_read(scheme.scheme):
            for value in ODD_VALUES:
                self.ends(
                    self.send(endpoint, request, **{name: value}),
                    f"the header {name} with an odd value",
                    among=REFUSED,
                )
        many = [(f"x-{number}", "é") for number in range(5_000)]
        answer = self.subject.receiver.post(endpoint, [*many, *request.headers.items()], request.body)
        self.ends(answer, "thousands of headers", among=ANSWERED)

    @rule("V15", over=Over.SCHEMES)
    def test_v15_odd_bodies_end_in_an_answer(self, scheme: SchemeCase) -> None:
        """A signed body that isn't the provider's document ends in a typed answer.

        Bytes that aren't UTF-8, no object, cut short, numbers and letters that parsers disagree on: all are signed.
        Why: anyone who holds a secret of their own, as every customer does, could stop the receiver.
        Fix: leave the reading of bodies to core.
        """
        for body in ODD_BODIES:
            answer = self.signed(scheme, Recording(name="", body=body))
            self.ends(answer, "a signed body that is no document", among=ANSWERED)

    @rule("V16", over=Over.SCHEMES)
    def test_v16_deep_bodies_end_in_an_answer(self, scheme: SchemeCase) -> None:
        """A signed body that nests without end gets a typed answer.

        Arrays and objects are nested 100,000 deep.
        Why: a parser that recurses overflows (CVE-2024-27454).
        Fix: leave the reading of bodies to core.
        """
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            body = b'{"a":' + opening * DEPTH + b"1" + closing * DEPTH + b"}"
            answer = self.signed(scheme, Recording(name="", body=body))
            self.ends(answer, "a body that nests deep", among=ANSWERED)

    @rule("V23", over=Over.DELIVERIES)
    def test_v23_what_cannot_be_text_is_accepted(self, delivery: Recording) -> None:
        """A signed document is accepted, whatever can't be text in its fields.

        Every text ends in half a surrogate pair and NUL; every number is beyond all bounds, unless the scheme wants
        a time in the body.
        Why: providers cut texts, sign what is left, and give up where it is refused again and again.
        Fix: leave the reading of bodies to core, and name only fields in the manifest that may be odd or missing.
        """
        case = self.strongest()
        try:
            document = json.loads(delivery.body)
        except ValueError:
            raise NotApplicableError("the delivery holds no JSON document") from None
        body = unreadable(document, numbers=time_in_body(case.scheme) is None)
        answer = self.signed(case, evolve(delivery, body=body))
        self.ends(answer, "a signed body with what can't be text", among=ACCEPTED)

    @rule("V17")
    def test_v17_huge_bodies_are_not_read(self) -> None:
        """Reading stops at the manifest's limit, whatever the request says of its length.

        A stream without end is posted.
        Why: strangers could fill the memory before any proof is looked at (CVE-2026-42294).
        Fix: declare the limit that the provider documents, and leave the reading to core.
        """
        limit = self.subject.manifest.webhooks.body_limit
        stream = _Endless(limit + 10 * CHUNK_BYTES)
        case = self.strongest()
        answer = self.subject.receiver.post(self.endpoint(case), self.genuine(case).headers, stream)
        self.ends(answer, "a body beyond its limit", among={413})
        require(
            stream.given <= limit + CHUNK_BYTES, f"read {stream.given} bytes of a body, {limit} being its limit"
        )

    @rule("V18", over=Over.SCHEMES)
    def test_v18_strangers_learn_nothing(self, scheme: SchemeCase) -> None:
        """A wrong secret, and an endpoint that doesn't exist, get the same answer.

        Both are tried with a delivery that is signed well, by a secret that nobody has here.
        Why: a difference tells strangers which addresses are worth an attack.
        Fix: leave the answers to core.
        """
        request = self.genuine(scheme, secret=STRANGERS_SECRET)
        wrong = self.send(self.endpoint(scheme), request)
        unknown = self.send("no-such-endpoint", request)
        self.ends(wrong, "a delivery that a stranger signed", among=REFUSED)
        require(
            wrong == unknown, f"answered {unknown.code} where there is no endpoint, {wrong.code} where there is"
        )

    @rule("V19", over=Over.SCHEMES)
    def test_v19_refusals_tell_no_secret(self, scheme: SchemeCase) -> None:
        """A refusal repeats neither the secret, nor the proof, nor the body.

        The answer and everything that is logged about a refused delivery are searched for all three.
        Why: logs are read by many, and a proof that failed by a second is a proof.
        Fix: log nothing in the plugin about what wasn't accepted.
        """
        endpoint, request = self.endpoint(scheme), self.genuine(scheme, secret=STRANGERS_SECRET)
        with _logged() as lines:
            answer = self.send(endpoint, request)
        proof = request.headers[headers_read(scheme.scheme)[0]]
        told = "\n".join([answer.body, *lines])
        hidden = (SECRET.reveal(), STRANGERS_SECRET.reveal(), proof, request.body.decode("utf-8", "replace"))
        is_told = any(text and text in told for text in hidden)
        require(not is_told, "repeated the secret, the proof or the body of a refused delivery")

    @rule("V20")
    def test_v20_other_media_types_are_refused(self) -> None:
        """A body of a type that the manifest doesn't list is refused, and so is a compressed one.

        Text, multipart, XML, no type at all and gzip are tried.
        Why: each of them is another parser, and a small compressed body becomes a huge one (CVE-2026-21858).
        Fix: list only what the provider sends.
        """
        case = self.strongest()
        endpoint, request = self.endpoint(case), self.genuine(case)
        for media_type in ("text/plain", "multipart/form-data; boundary=x", "application/xml", ""):
            answer = self.send(endpoint, request, content_type=media_type)
            self.ends(answer, f"the type {media_type!r}", among={415})
        answer = self.send(endpoint, request, content_encoding="gzip")
        self.ends(answer, "a compressed body", among={415})

    @rule("V21")
    def test_v21_a_repeated_delivery_is_a_duplicate(self) -> None:
        """A delivery that comes again is recognised.

        One is posted twice, as providers do where our answer got lost.
        Why: without it, every retry of the provider happens twice.
        Fix: name the header or field with the id that stays the same on re-delivery, or neither.
        """
        case = self.strongest()
        endpoint, request = self.endpoint(case), self.genuine(case)
        first, second = self.send(endpoint, request), self.send(endpoint, request)
        if first.code not in {"accepted", "ignored"}:
            raise NotApplicableError("nothing was stored; see V01")
        require(second.code == "duplicate", f"answered {second.code} to a delivery that came again")

    @rule("V22")
    def test_v22_the_handshake_swallows_nothing(self) -> None:
        """A handshake is answered by its own field, and no ordinary delivery is taken for one.

        A signed challenge is posted, then every recorded delivery.
        Why: what is taken for a handshake is answered and forgotten.
        Fix: describe the challenge by a field and value that no event has.
        """
        handshake = self.subject.manifest.webhooks.handshake
        if handshake is None:
            raise NotApplicableError("the manifest has no handshake")
        case = self.strongest()
        challenge = f'{{"{handshake.field}": "{handshake.value}", "{handshake.answer_field}": "42"}}'
        answer = self.signed(case, Recording(name="", body=challenge.encode()))
        require(
            (answer.status, answer.body) == (200, "42"), f"answered {answer.status} {answer.code} to a challenge"
        )
        for recording in self.subject.samples.deliveries:
            if recording.expect.get("outcome") in {"event", "lifecycle"}:
                swallowed = self.signed(case, recording).code == "handshake"
                require(not swallowed, f"took {recording.name} for a handshake")


class _Endless:
    """A stream that ends only so that a broken receiver does."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.given = 0

    def read(self, size: int, /) -> bytes:
        size = min(size if size >= 0 else self._left, self._left)
        self._left -= size
        self.given += size
        return b" " * size


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect every line that the library logs while the block runs."""
    lines: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    logger, handler = logging.getLogger(LOGGER), Collecting()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)

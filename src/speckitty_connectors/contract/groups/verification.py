"""V: only what the provider signed comes in, whatever a stranger tries with the proof."""

from __future__ import annotations

import base64
import hashlib
import hmac
import warnings
from collections.abc import Container, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt

from ...credentials.secret import Secret
from ...errors import ConfigurationError
from ...inbox import signatures as verification
from ...inbox.responses import Answer, VerificationRefusedError
from ...inbox.signatures import headers_read
from ...inbox.signing import TOKEN_LIFETIME_SECONDS, sign
from ...providers.signatures import BearerJwt, HexHmac, PlainToken, StandardWebhooks, TimestampedHmac
from ..receiver import NEXT_SECRET, NOW, SECRET, proven, stamped, time_in_body
from ..recordings import Recording
from ..rules import NotApplicableError, Over, require, rule
from ..subject import SchemeCase
from .base import Rules


def tampered(body: bytes) -> Iterator[bytes]:
    """Yield bodies that aren't this one: bits flipped, cut short, added to."""
    for place in {0, len(body) // 2, len(body) - 1} if body else ():
        for bit in range(8):
            yield body[:place] + bytes([body[place] ^ 1 << bit]) + body[place + 1 :]
    yield from {body[:-1], b"", body + b" ", b" " + body, body + body} - {body}


def tolerance(case: SchemeCase, *, future: bool = False) -> timedelta:
    """Return how far from now a scheme may sign."""
    match case.scheme:
        case TimestampedHmac() | StandardWebhooks():
            return timedelta(seconds=case.scheme.tolerance)
        case BearerJwt():
            return timedelta(seconds=case.scheme.leeway + (0 if future else TOKEN_LIFETIME_SECONDS))
    in_body = time_in_body(case.scheme)
    if in_body is None:
        raise NotApplicableError("this scheme states no time")
    return timedelta(seconds=in_body.tolerance)


def downgraded(case: SchemeCase, headers: Mapping[str, str], body: bytes) -> Iterator[dict[str, str]]:
    """Yield headers with a proof that is right, but by an algorithm that must not count."""
    key, name = SECRET.reveal_bytes(), headers_read(case.scheme)[0]
    without = {other: value for other, value in headers.items() if other != name}
    match case.scheme:
        case HexHmac() | TimestampedHmac():
            signed = body
            if isinstance(case.scheme, TimestampedHmac):
                signed = f"{case.scheme.version}:{headers[case.scheme.timestamp_header.lower()]}:".encode() + body
            for digest in ("sha1", "md5"):
                weak = hmac.new(key, signed, digest).hexdigest()
                prefix = headers[name].rpartition("=")[0]
                for proof in (f"{digest}={weak}", f"{prefix}={weak}" if prefix else weak):
                    yield {**headers, name: proof}
                    yield {**without, "x-hub-signature": proof}
        case StandardWebhooks():
            decoded = base64.b64decode(key.removeprefix(b"whsec_"))
            stem = f"{headers[case.scheme.id_header.lower()]}.{headers[case.scheme.timestamp_header.lower()]}."
            weak = base64.b64encode(hmac.digest(decoded, stem.encode() + body, "sha1")).decode()
            yield from ({**headers, name: f"{version},{weak}"} for version in ("v1", "v0"))
        case BearerJwt():
            yield from ({**headers, name: f"Bearer {token}"} for token in _other_tokens(key))
        case PlainToken():
            yield from (
                {**headers, name: hashlib.new(digest, key).hexdigest()} for digest in ("sha1", "md5", "sha256")
            )


def _other_tokens(key: bytes) -> Iterator[str]:
    """Yield tokens that are unsigned, or signed by algorithms that no scheme has."""
    claims = {"iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60}
    keys: dict[str, Any] = {"none": None, "HS384": key, "HS512": key}
    for algorithm, used in keys.items():
        with warnings.catch_warnings(action="ignore"):  # PyJWT warns of what is tried here
            yield jwt.encode(claims, used, algorithm=algorithm)


def _verifies(case: SchemeCase, secret: Secret, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether core's verifier takes a request as one that this secret signed."""
    try:
        verification.verify(case.scheme, {"secret": secret}, headers, body, NOW)
    except VerificationRefusedError:
        return False
    return True


ACCEPTED = range(200, 300)
REFUSED = range(400, 500)
ANSWERED = range(500)
"""The statuses of an answer that accepts, of the typed refusal, and of any answer that isn't a failure."""

DEFAULT_BODY = b'{"contract": "genuine"}'
"""What is signed where no delivery was recorded."""


class Proving(Rules):
    """What the rules about proofs share."""

    def endpoint(self, case: SchemeCase, secret: Secret | None = SECRET) -> str:
        """Make an endpoint with one secret of a scheme, or with none."""
        return self.subject.receiver.endpoint(*([(case.name, secret)] if secret else []))

    def genuine(self, case: SchemeCase, *, now: datetime = NOW, secret: Secret = SECRET) -> Recording:
        """Return a delivery with the headers by which the provider would prove it."""
        chosen = next(iter(self.subject.samples.deliveries), Recording(name="", body=DEFAULT_BODY))
        return proven(self.subject.manifest, chosen, case.scheme, secret, now=now)

    def signed(self, case: SchemeCase, recording: Recording) -> Answer:
        """Post a delivery to an endpoint of its own, proven by the scheme."""
        return self.send(self.endpoint(case), proven(self.subject.manifest, recording, case.scheme, SECRET))

    def strongest(self) -> SchemeCase:
        """Return the first scheme of the manifest."""
        name, scheme = next(iter(self.subject.manifest.webhooks.schemes.items()))
        return SchemeCase(name=name, scheme=scheme)

    def send(self, endpoint: str, request: Recording, **changed: str) -> Answer:
        """Post a request with some headers changed; one that is None is left out."""
        headers = {**request.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
        return self.subject.receiver.post(endpoint, headers, request.body)

    def proves(self, case: SchemeCase, request: Recording, proof: str) -> bool:
        """Say whether core's verifier takes another proof for a request; thousands are tried, so no inbox is."""
        return _verifies(case, SECRET, {**request.headers, headers_read(case.scheme)[0]: proof}, request.body)

    def ends(self, answer: Answer, what: str, *, among: Container[int]) -> None:
        """Require a status."""
        require(answer.status in among, f"answered {answer.status} {answer.code} to {what}")


WEAK_SECRETS = ("", "   ", "short")
"""What can never be a webhook secret."""


class VerificationRules(Proving):
    """Proofs."""

    @rule("V01", over=Over.SCHEMES)
    def test_v01_a_genuine_delivery_is_accepted(self, scheme: SchemeCase) -> None:
        """A delivery that the provider signed is accepted, with every scheme of the manifest.

        A recorded delivery is signed as the manifest says and posted to a real inbox.
        Why: a manifest that describes the proof wrongly refuses everything the provider sends.
        Fix: compare header names, prefix and version of the scheme with the provider's page on webhooks.
        """
        answer = self.send(self.endpoint(scheme), self.genuine(scheme))
        self.ends(answer, "a genuine delivery", among=ACCEPTED)

    @rule("V02", over=Over.DELIVERIES)
    def test_v02_each_recorded_delivery_is_accepted(self, delivery: Recording) -> None:
        """Every recorded delivery is accepted once it is signed.

        Each one is signed by the strongest scheme and posted with its own headers.
        Why: content types, sizes and ids of real deliveries differ, and a refused one is lost.
        Fix: the answer's code says what was refused; widen content_types or body_limit, or fix the recording.
        """
        self.ends(self.signed(self.strongest(), delivery), "its own recorded delivery", among=ACCEPTED)

    @rule("V03", over=Over.SCHEMES)
    def test_v03_every_bit_of_the_proof_counts(self, scheme: SchemeCase) -> None:
        """A proof with any one bit flipped is refused.

        Each bit of the header that carries the proof is flipped in turn.
        Why: a comparison that overlooks a part of the proof can be guessed.
        Fix: declare one of core's schemes and compare nothing yourself.
        """
        request, name = self.genuine(scheme), headers_read(scheme.scheme)[0]
        proof = request.headers[name]
        # The word before a token may be written in any case (RFC 9110, section 11.1).
        start = len("Bearer ") if isinstance(scheme.scheme, BearerJwt) else 0
        for place in range(start, len(proof)):
            for bit in range(7):
                letter = chr(ord(proof[place]) ^ 1 << bit)
                is_taken = self.proves(scheme, request, proof[:place] + letter + proof[place + 1 :])
                require(not is_taken, f"accepted a proof with bit {bit} of its letter {place} flipped")

    @rule("V04", over=Over.SCHEMES)
    def test_v04_the_whole_proof_counts(self, scheme: SchemeCase) -> None:
        """A proof that is cut short or made longer is refused.

        Every beginning of the proof is tried, and the proof with something behind it.
        Why: a comparison that stops at the shorter value accepts an empty one (CVE-2024-21491).
        Fix: declare one of core's schemes and compare nothing yourself.
        """
        request = self.genuine(scheme)
        proof = request.headers[headers_read(scheme.scheme)[0]]
        for length in range(len(proof)):
            is_taken = self.proves(scheme, request, proof[:length])
            require(not is_taken, f"accepted the first {length} of the {len(proof)} letters of a proof")
        require(not self.proves(scheme, request, proof + "0"), "accepted a proof with a letter behind it")

    @rule("V05", over=Over.SCHEMES)
    def test_v05_the_whole_body_counts(self, scheme: SchemeCase) -> None:
        """A body that was changed after signing is refused.

        Bits are flipped, the end is cut off, something is put behind it and before it.
        Why: anyone who sees one delivery could write others.
        Fix: declare a scheme that covers the body, if the provider has one.
        """
        if isinstance(scheme.scheme, PlainToken | BearerJwt):
            raise NotApplicableError("this scheme proves the sender, not the body")
        endpoint, request = self.endpoint(scheme), self.genuine(scheme)
        for body in tampered(request.body):
            changed = Recording(name=request.name, body=body, headers=request.headers)
            self.ends(self.send(endpoint, changed), "a body that was changed after it was signed", among=REFUSED)

    @rule("V06", over=Over.SCHEMES)
    def test_v06_stale_is_refused(self, scheme: SchemeCase) -> None:
        """A delivery that was signed too long ago is refused.

        It is signed just beyond the tolerance of the scheme in the past.
        Why: anyone who recorded a delivery could send it again later.
        Fix: declare the tolerance that the provider documents; five minutes where it says nothing.
        """
        moment = NOW - tolerance(scheme) - timedelta(seconds=1)
        answer = self.send(self.endpoint(scheme), self.genuine(scheme, now=moment))
        self.ends(answer, "a delivery from the past", among=REFUSED)

    @rule("V07", over=Over.SCHEMES)
    def test_v07_the_future_is_refused(self, scheme: SchemeCase) -> None:
        """A delivery that claims to come from the future is refused.

        It is signed just beyond the tolerance of the scheme in the future.
        Why: it could be kept and sent again for as long as its time is ahead.
        Fix: declare the tolerance that the provider documents; five minutes where it says nothing.
        """
        ahead = tolerance(scheme, future=True) + timedelta(seconds=1)
        answer = self.send(self.endpoint(scheme), self.genuine(scheme, now=NOW + ahead))
        self.ends(answer, "a delivery from the future", among=REFUSED)

    @rule("V08", over=Over.SCHEMES)
    def test_v08_both_secrets_of_a_rotation_count(self, scheme: SchemeCase) -> None:
        """While one secret replaces another, both are accepted.

        An endpoint with two secrets gets a delivery signed by each.
        Why: secrets couldn't be replaced without losing deliveries.
        Fix: leave the choice of secrets to core.
        """
        endpoint = self.subject.receiver.endpoint((scheme.name, SECRET), (scheme.name, NEXT_SECRET))
        for what, secret in (("old", SECRET), ("new", NEXT_SECRET)):
            answer = self.send(endpoint, self.genuine(scheme, secret=secret))
            self.ends(answer, f"the {what} secret of a rotation", among=ACCEPTED)

    @rule("V09", over=Over.SCHEMES)
    def test_v09_no_secret_no_entry(self, scheme: SchemeCase) -> None:
        """Without a secret, or with an empty or short one, everything is refused.

        Endpoints without secrets get deliveries; weak secrets are tried to be stored, and to verify with.
        Why: an empty secret is one that everybody knows (CVE-2026-41432, CVE-2026-21894).
        Fix: leave secrets to core; there is no unsigned mode.
        """
        answer = self.send(self.endpoint(scheme, None), self.genuine(scheme))
        self.ends(answer, "a delivery to an endpoint without a secret", among=REFUSED)
        for weak in map(Secret, WEAK_SECRETS):
            require(not self._is_stored(scheme, weak), "stored a webhook secret that is empty or too short")
            require(not self._counts(scheme, weak), "accepted what an empty or short secret signed")

    def _is_stored(self, case: SchemeCase, secret: Secret) -> bool:
        try:
            self.subject.receiver.endpoint((case.name, secret))
        except ConfigurationError:
            return False
        return True

    def _counts(self, case: SchemeCase, secret: Secret) -> bool:
        body = stamped(case.scheme, DEFAULT_BODY)
        try:
            with warnings.catch_warnings(action="ignore"):  # PyJWT warns of what is tried here
                proof = sign(case.scheme, secret, body, now=NOW)
        except (ValueError, jwt.PyJWTError):
            proof = sign(case.scheme, SECRET, body, now=NOW)
        return _verifies(case, secret, {name.lower(): value for name, value in proof.items()}, body)

    @rule("V10", over=Over.SCHEMES)
    def test_v10_a_missing_header_is_a_refusal(self, scheme: SchemeCase) -> None:
        """A delivery without its proof is refused.

        Each header that the scheme reads is left out, and sent empty.
        Why: receivers that verify only what is signed accept whatever isn't (CVE-2026-21894).
        Fix: declare one of core's schemes.
        """
        endpoint, request = self.endpoint(scheme), self.genuine(scheme)
        for name in headers_read(scheme.scheme):
            without = {other: value for other, value in request.headers.items() if other != name}
            for headers in (without, {**without, name: ""}):
                answer = self.subject.receiver.post(endpoint, headers, request.body)
                self.ends(answer, f"a delivery without {name}", among=REFUSED)

    @rule("V11", over=Over.SCHEMES)
    def test_v11_a_doubled_header_is_a_refusal(self, scheme: SchemeCase) -> None:
        """A header that decides something may stand only once.

        Each header that the scheme reads is sent twice, the genuine one first and last.
        Why: two parsers that pick different ones see two requests.
        Fix: leave the reading of headers to core.
        """
        endpoint, request = self.endpoint(scheme), self.genuine(scheme)
        for name in headers_read(scheme.scheme):
            for headers in ([(name, "x"), *request.headers.items()], [*request.headers.items(), (name, "x")]):
                answer = self.subject.receiver.post(endpoint, headers, request.body)
                self.ends(answer, f"a delivery with two headers {name}", among=REFUSED)

    @rule("V12", over=Over.SCHEMES)
    def test_v12_no_weaker_algorithm(self, scheme: SchemeCase) -> None:
        """A proof by a weaker algorithm is refused, even if it is right.

        SHA-1 and MD5 digests, unsigned tokens and tokens of other algorithms are tried.
        Why: the sender must not choose the algorithm (CVE-2022-29217, CVE-2024-37568).
        Fix: declare one of core's schemes; SHA-1 is never read.
        """
        endpoint, request = self.endpoint(scheme), self.genuine(scheme)
        for headers in downgraded(scheme, request.headers, request.body):
            answer = self.subject.receiver.post(endpoint, headers, request.body)
            self.ends(answer, "a correct proof by a weaker algorithm", among=REFUSED)

    @rule("V13", over=Over.SCHEMES)
    def test_v13_no_weaker_scheme(self, scheme: SchemeCase) -> None:
        """Where a stronger scheme has a secret, a weaker one is refused.

        An endpoint with secrets for this scheme and for the strongest gets a delivery proven by this one.
        Why: a stranger would always take the weakest door.
        Fix: list the strongest scheme first.
        """
        strongest = self.strongest().name
        if scheme.name == strongest:
            raise NotApplicableError("this is the strongest scheme")
        endpoint = self.subject.receiver.endpoint((strongest, SECRET), (scheme.name, SECRET))
        self.ends(
            self.send(endpoint, self.genuine(scheme)), f"{scheme.name} where {strongest} is set up", among=REFUSED
        )

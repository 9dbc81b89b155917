"""What the rules about proofs share: a genuine delivery, and an inbox to send it to."""

from __future__ import annotations

from datetime import datetime

from ...credentials.secret import Secret
from ...inbox import verification
from ...inbox.answers import Answer
from ...inbox.refusals import VerificationRefusedError
from ...inbox.verification import headers_read
from ..receiving import NOW, SECRET, as_list, headers_of, stamped
from ..recordings import Recording
from ..rules import require
from ..subject import SchemeCase
from .base import Rules

DEFAULT_BODY = b'{"contract": "genuine"}'
"""What is signed where no delivery was recorded."""


class Proving(Rules):
    """What the rules about proofs share."""

    def endpoint(self, case: SchemeCase, secret: Secret | None = SECRET) -> str:
        """Make an end point with one secret of a scheme, or with none."""
        return self.subject.receiver.endpoint(*([(case.name, secret)] if secret else []))

    def genuine(self, case: SchemeCase, *, now: datetime = NOW, secret: Secret = SECRET) -> Recording:
        """Return a delivery with the headers by which the provider would prove it."""
        manifest = self.subject.manifest
        chosen = next(iter(self.subject.samples.deliveries), Recording(name="", body=DEFAULT_BODY))
        body = stamped(case.scheme, chosen.body, now)
        stamped_recording = Recording(name=chosen.name, body=body, headers=chosen.headers)
        headers = headers_of(manifest, stamped_recording, case.scheme, secret, now=now)
        return Recording(name=chosen.name, body=body, headers=headers)

    def send(self, endpoint: str, request: Recording, **changed: str) -> Answer:
        """Post a request with some headers changed; one that is None is left out."""
        headers = {**request.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
        return self.subject.receiver.post(endpoint, as_list(headers), request.body)

    def proves(self, case: SchemeCase, request: Recording, proof: str) -> bool:
        """Say whether core's verifier takes another proof for a request; thousands are tried, so no inbox is."""
        headers = {**request.headers, headers_read(case.scheme)[0]: proof}
        try:
            verification.verify(case.scheme, {"current": SECRET}, headers, request.body, NOW)
        except VerificationRefusedError:
            return False
        return True

    def refuses(self, answer: Answer, what: str) -> None:
        """Require the typed refusal."""
        require(400 <= answer.status < 500, f"answered {answer.status} {answer.code} to {what}")

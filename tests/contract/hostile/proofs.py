"""Misbehaviours that no plugin manages alone: core with a check taken out of its way in."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from attrs import evolve

from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.inbox import signatures as macs
from speckitty_connectors.inbox.responses import VerificationRefusedError
from speckitty_connectors.inbox.signatures import headers_read
from speckitty_connectors.plugin import SignatureScheme, TimestampedHmac

from .boards import MANIFEST
from .switches import Hostile, Replace, switch

Headers = Mapping[str, str]
Secrets = Mapping[str, Secret]
Verify = Callable[[SignatureScheme, Secrets, Headers, bytes, datetime], str]

WEBHOOKS = MANIFEST.webhooks
SIGNATURE, TIME, TOKEN = "x-hostile-signature", "x-hostile-time", "x-hostile-token"


def verifying(replace: Callable[[Verify], Verify]) -> dict[str, Replace]:
    """Replace core's verifier wherever it is used."""
    return {"inbox.signatures:verify": replace, "inbox.endpoint_secrets:verify": replace}


def or_else(accepts: Callable[[SignatureScheme, Secret, Headers, bytes], bool]) -> dict[str, Replace]:
    """Have core's verifier accept more than it should: also what another check accepts."""

    def replace(verify: Verify) -> Verify:
        def lax(scheme: SignatureScheme, secrets: Secrets, headers: Headers, body: bytes, now: datetime) -> str:
            try:
                return verify(scheme, secrets, headers, body, now)
            except VerificationRefusedError:
                for name, secret in secrets.items():
                    if accepts(scheme, secret, headers, body):
                        return name
                raise

        return lax

    return verifying(replace)


def _moved(*, to_the_past: bool) -> dict[str, Replace]:
    """Have core's verifier believe whatever moment a delivery claims, on one side of now."""

    def replace(verify: Verify) -> Verify:
        def lax(scheme: SignatureScheme, secrets: Secrets, headers: Headers, body: bytes, now: datetime) -> str:
            claimed = headers.get(TIME, "")
            if isinstance(scheme, TimestampedHmac) and claimed.isascii() and claimed.isdigit():
                moment = datetime.fromtimestamp(min(int(claimed), 10**10), UTC)
                now = min(now, moment) if to_the_past else max(now, moment)
            return verify(scheme, secrets, headers, body, now)

        return lax

    return verifying(replace)


def signature_of(scheme: TimestampedHmac, secret: Secret, headers: Headers, body: bytes) -> str:
    """Return the signature that would be right."""
    return macs.timestamped_hmac(scheme, secret.reveal_bytes(), headers.get(TIME, ""), body)


@switch("V01", and_so=("V08",))
class DescribesAProofThatNobodyMakes(Hostile):
    """Has one header for two values, so that nothing genuine fits."""

    manifest = evolve(
        MANIFEST,
        webhooks=evolve(
            WEBHOOKS,
            schemes={
                "timed": WEBHOOKS.schemes["timed"],
                "odd": TimestampedHmac(header="X-Hostile-Odd", timestamp_header="X-Hostile-Odd"),
                "token": WEBHOOKS.schemes["token"],
            },
        ),
    )


@switch("V02", and_so=("V23",))
class SendsWhatItDoesNotAccept(Hostile):
    """Is shown with a delivery of a type that its manifest doesn't accept."""

    def shown_with(self, samples: Samples) -> Samples:
        """Give the last delivery another media type."""
        *others, last = samples.deliveries
        odd = evolve(last, headers={**last.headers, "Content-Type": "text/plain"})
        return evolve(samples, deliveries=(*others, odd))


@switch("V03")
class OverlooksTheCase(Hostile):
    """Compares proofs without regard to case."""

    core = verifying(
        lambda verify: (
            lambda scheme, secrets, headers, body, now: verify(
                scheme,
                secrets,
                {**headers, SIGNATURE: headers[SIGNATURE].lower()} if SIGNATURE in headers else headers,
                body,
                now,
            )
        )
    )


@switch("V04")
class ComparesTheBeginning(Hostile):
    """Compares as many letters as it was given."""

    core = or_else(
        lambda scheme, secret, headers, body: (
            isinstance(scheme, TimestampedHmac)
            and 20 < len(headers.get(SIGNATURE, "")) < 67
            and signature_of(scheme, secret, headers, body).startswith(headers[SIGNATURE])
        )
    )


@switch("V05")
class TrimsTheBody(Hostile):
    """Verifies a body that was tidied up first."""

    core = or_else(
        lambda scheme, secret, headers, body: (
            isinstance(scheme, TimestampedHmac)
            and any(
                signature_of(scheme, secret, headers, tidy) == headers.get(SIGNATURE)
                for tidy in (body.strip(), body.strip() + b"\n")
                if tidy != body
            )
        )
    )


@switch("V06")
class AcceptsThePast(Hostile):
    """Accepts deliveries of any age."""

    core = _moved(to_the_past=True)


@switch("V07")
class AcceptsTheFuture(Hostile):
    """Accepts deliveries from any day to come."""

    core = _moved(to_the_past=False)


@switch("V08")
class KnowsOneSecret(Hostile):
    """Looks at the first secret only."""

    core = verifying(
        lambda verify: (
            lambda scheme, secrets, headers, body, now: verify(
                scheme, dict(list(secrets.items())[:1]), headers, body, now
            )
        )
    )


@switch("V09")
class AcceptsEmptySecrets(Hostile):
    """Takes an empty secret for one."""

    core = or_else(lambda _, secret, __, ___: not secret.reveal_bytes().strip())


@switch("V10", and_so=("V04", "V09", "V12", "V13"))
class SkipsWhatIsUnsigned(Hostile):
    """Verifies only what carries a proof."""

    core = or_else(lambda scheme, _, headers, __: any(not headers.get(name) for name in headers_read(scheme)))


@switch("V11")
class TakesTheLastHeader(Hostile):
    """Takes the last of two headers."""

    core = {
        "inbox.accept:select_headers": lambda select: (
            lambda headers, names: select(
                list({name.lower(): (name, value) for name, value in headers}.values()), names
            )
        )
    }


@switch("V12")
class ReadsSha1(Hostile):
    """Accepts the digest that the sender chose."""

    core = or_else(
        lambda scheme, secret, headers, body: (
            isinstance(scheme, TimestampedHmac)
            and hmac.new(secret.reveal_bytes(), f"v0:{headers.get(TIME)}:".encode() + body, "sha1").hexdigest()
            == headers.get(SIGNATURE, "").rpartition("=")[2]
        )
    )


@switch("V13")
class LeavesTheBackDoorOpen(Hostile):
    """Accepts the weaker scheme where the stronger is set up."""

    core = or_else(
        lambda _, secret, headers, __: len(secret.reveal()) > 20 and headers.get(TOKEN) == secret.reveal()
    )

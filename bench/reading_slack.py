"""Verify, understand and route one Slack delivery, beside the standard library and slack_sdk on the same bodies."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen
from reading import NOW, mapping
from rounds import Candidate, Report, take_turns
from samples import SECRET
from slack_sdk.signature import Clock, SignatureVerifier

from speckitty_connectors import Event, Secret
from speckitty_connectors.inbox.signatures import verify
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import Delivery
from speckitty_connectors.routing.batch import Surroundings
from speckitty_connectors.routing.explicit import explicit
from speckitty_connectors.standin import stand_ins

PROVIDER = "slack"
STAMP = str(int(NOW.timestamp()))


class _Now(Clock):
    """The SDK's clock at the moment of the samples."""

    def now(self) -> float:
        return NOW.timestamp()


@frozen(kw_only=True)
class _Sample:
    body: bytes
    headers: Mapping[str, str]


def measure(report: Report, *, corpus: Path, rounds: int) -> None:
    """Add what it costs to read Slack's deliveries."""
    samples = _read_samples(corpus.parent / PROVIDER)
    seconds = take_turns(
        {
            "floor": lambda: _floor(samples),
            "slack_sdk": _slack_sdk(samples),
            "routed": _routed(samples),
        },
        rounds=rounds,
    )
    average = sum(len(sample.body) for sample in samples) // len(samples)
    report.title(f"{len(samples)} Slack bodies of {average:,} bytes on average; the floor is hmac + json.loads")
    report.add("verify + typed event + route look-up / floor", seconds["routed"], seconds["floor"])
    report.add("verify + typed event + look-up / slack_sdk + json", seconds["routed"], seconds["slack_sdk"])
    report.add("slack_sdk's verifier + json.loads / floor", seconds["slack_sdk"], seconds["floor"])


def _read_samples(folder: Path) -> list[_Sample]:
    """Return the recorded deliveries of a folder, else the stand-in's; all signed."""
    if folder.is_dir():
        bodies = [file.read_bytes() for file in sorted(folder.glob("*.json")) if file.name != "index.json"]
    else:
        stand_in = stand_ins()[PROVIDER](setup_url="http://127.0.0.1/", callback_url="http://127.0.0.1/")
        bodies = [delivery.content for delivery in stand_in.deliveries()]
    return [
        _Sample(body=body, headers={"x-slack-request-timestamp": STAMP, "x-slack-signature": _sign(body)})
        for body in bodies
    ]


def _sign(body: bytes) -> str:
    base = b"v0:" + STAMP.encode() + b":" + body
    return "v0=" + hmac.new(SECRET.encode(), base, hashlib.sha256).hexdigest()


def _floor(samples: Sequence[_Sample]) -> None:
    """Do what nobody can do without: one MAC and one decode by the standard library."""
    for sample in samples:
        assert hmac.compare_digest(_sign(sample.body), sample.headers["x-slack-signature"])
        json.loads(sample.body)


def _slack_sdk(samples: Sequence[_Sample]) -> Candidate:
    verifier = SignatureVerifier(SECRET, clock=_Now())

    def run() -> None:
        for sample in samples:
            assert verifier.is_valid_request(sample.body, dict(sample.headers))
            json.loads(sample.body)

    return run


def _routed(samples: Sequence[_Sample]) -> Candidate:
    provider = Registry().provider(PROVIDER)
    (scheme,) = provider.manifest.webhooks.schemes.values()
    secrets = {"current": Secret(SECRET)}
    outcomes = [provider.route_event(_delivery(sample)) for sample in samples]
    resources = {resource for outcome in outcomes if isinstance(outcome, Event) for resource in outcome.resources}
    mapped = Surroundings(mappings={resource.place: [mapping(resource)] for resource in resources})

    def run() -> None:
        for sample in samples:
            verify(scheme, secrets, sample.headers, sample.body, NOW)
            outcome = provider.route_event(_delivery(sample))
            if isinstance(outcome, Event):
                explicit(outcome, mapped, provider.manifest.rank)

    return run


def _delivery(sample: _Sample) -> Delivery:
    return Delivery(provider=PROVIDER, host="slack.com", kind="", content=sample.body, received_at=NOW)

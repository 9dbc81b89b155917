"""Verify, understand and route one delivery of each further provider, beside the standard library."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import evolve, frozen
from reading import NOW, mapping
from rounds import Candidate, Report, take_turns

from speckitty_connectors import Delivery, Event, HexHmac, SignatureScheme
from speckitty_connectors.credentials.secret import new_webhook_secret
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.inbox.verification import verify
from speckitty_connectors.providers.binding import Provider
from speckitty_connectors.providers.registry import Registry
from speckitty_connectors.providers.standin import stand_ins
from speckitty_connectors.routing.explicit import RouteTable

ELSEWHERE = frozenset({"github", "slack"})
"""Those that have a benchmark of their own, beside a library that does the same."""

SECRET = new_webhook_secret()


@frozen(kw_only=True)
class _Sample:
    kind: str
    body: bytes
    headers: Mapping[str, str]


def measure(report: Report, *, corpus: Path, rounds: int) -> None:
    """Add what it costs to read deliveries of every installed provider that isn't measured elsewhere."""
    for key in sorted(stand_ins().keys() - ELSEWHERE):
        _measure_one(report, Registry().provider(key), corpus.parent / key, rounds)


def _measure_one(report: Report, provider: Provider, folder: Path, rounds: int) -> None:
    scheme = _scheme(provider)
    samples = [_signed(scheme, kind, body) for kind, body in _read_bodies(provider, folder)]
    seconds = take_turns(
        {"floor": lambda: _floor(samples), "routed": _routed(provider, scheme, samples)}, rounds=rounds
    )
    average = sum(len(sample.body) for sample in samples) // len(samples)
    title = provider.manifest.title
    report.title(f"{len(samples)} {title} bodies of {average:,} bytes on average; the floor is hmac + json.loads")
    report.add("verify + typed event + route look-up / floor", seconds["routed"], seconds["floor"])


def _scheme(provider: Provider) -> SignatureScheme:
    """Return the strongest scheme; what was recorded long ago has a time in it that is too old now."""
    scheme = next(iter(provider.manifest.webhooks.schemes.values()))
    return evolve(scheme, body_timestamp=None) if isinstance(scheme, HexHmac) else scheme


def _read_bodies(provider: Provider, folder: Path) -> list[tuple[str, bytes]]:
    """Return the recorded deliveries of a folder, else the stand-in's."""
    header = provider.manifest.webhooks.kind_header
    if not folder.is_dir():
        stand_in = stand_ins()[provider.key](setup_url="http://127.0.0.1/", callback_url="http://127.0.0.1/")
        return [(delivery.kind, delivery.content) for delivery in stand_in.deliveries()]
    index = json.loads((folder / "index.json").read_bytes())
    return [((entry["headers"] or {}).get(header, ""), (folder / entry["file"]).read_bytes()) for entry in index]


def _signed(scheme: SignatureScheme, kind: str, body: bytes) -> _Sample:
    headers = {name.lower(): value for name, value in sign(scheme, SECRET, body, now=NOW).items()}
    return _Sample(kind=kind, body=body, headers=headers)


def _floor(samples: Sequence[_Sample]) -> None:
    """Do what nobody can do without: one MAC and one decode by the standard library."""
    for sample in samples:
        hmac.digest(SECRET.reveal_bytes(), sample.body, "sha256")
        json.loads(sample.body)


def _routed(provider: Provider, scheme: SignatureScheme, samples: Sequence[_Sample]) -> Candidate:
    outcomes = [provider.route_event(_delivery(provider, sample)) for sample in samples]
    resources = {resource for outcome in outcomes if isinstance(outcome, Event) for resource in outcome.resources}
    table = RouteTable([mapping(resource) for resource in resources], rank=provider.manifest.rank)

    def run() -> None:
        for sample in samples:
            verify(scheme, {"current": SECRET}, sample.headers, sample.body, NOW)
            outcome = provider.route_event(_delivery(provider, sample))
            if isinstance(outcome, Event):
                table.decide(outcome)

    return run


def _delivery(provider: Provider, sample: _Sample) -> Delivery:
    return Delivery(
        provider=provider.key,
        host=provider.manifest.hosts.default,
        kind=sample.kind,
        content=sample.body,
        received_at=NOW,
    )

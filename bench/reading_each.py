"""Verify, understand and look up one delivery of each provider, by its strongest scheme, on recorded bodies."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from reading import NOW, mapping
from rounds import Candidate, Report, take_turns

from speckitty_connectors import Event, Secret
from speckitty_connectors.contract.receiver import SECRET, stamped
from speckitty_connectors.contract.recordings import read_recordings
from speckitty_connectors.inbox.signatures import verify
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.loading.binding import Provider
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import Delivery, SignatureScheme
from speckitty_connectors.routing.batch import Surroundings
from speckitty_connectors.routing.explicit import explicit


@frozen(kw_only=True)
class _Sample:
    delivery: Delivery
    headers: dict[str, str]
    body: bytes


def measure(report: Report, *, corpus: Path, rounds: int) -> None:
    """Add what each provider's deliveries cost; one whose recorded bodies aren't there is left out."""
    report.title("each provider by its strongest scheme; the floor is hmac + json.loads of the same bodies")
    for provider in sorted(Registry().providers(), key=lambda each: each.key):
        folder = corpus.parent / provider.key
        if not folder.is_dir():
            continue
        scheme = next(iter(provider.manifest.webhooks.schemes.values()))
        samples = _samples(provider, scheme, folder)
        floor, routed = (lambda samples=samples: _floor(samples)), _routed(provider, scheme, samples)
        seconds = take_turns({"floor": floor, "routed": routed}, rounds=rounds)
        what = f"{provider.key}: verify + typed event + look-up / floor"
        report.add(what, seconds["routed"], seconds["floor"])


def _samples(provider: Provider, scheme: SignatureScheme, folder: Path) -> list[_Sample]:
    kind_header = provider.manifest.webhooks.kind_header.lower()
    samples = []
    for recording in read_recordings(folder):
        sent = {name.lower(): value for name, value in recording.headers.items()}
        body = stamped(scheme, recording.body, NOW)
        proof = sign(scheme, SECRET, body, now=NOW, headers=recording.headers)
        delivery = Delivery(
            provider=provider.key,
            host=provider.manifest.hosts.default,
            kind=sent.get(kind_header, ""),
            content=body,
            received_at=NOW,
            headers=sent,
        )
        headers = {**sent, **{name.lower(): value for name, value in proof.items()}}
        samples.append(_Sample(delivery=delivery, headers=headers, body=body))
    return samples


def _floor(samples: Sequence[_Sample]) -> None:
    """Do what nobody can do without: one MAC and one decode by the standard library."""
    key = SECRET.reveal_bytes()
    for sample in samples:
        hmac.new(key, sample.body, hashlib.sha256).hexdigest()
        json.loads(sample.body)


def _routed(provider: Provider, scheme: SignatureScheme, samples: Sequence[_Sample]) -> Candidate:
    secrets = {"current": Secret(SECRET)}
    outcomes = [provider.route_event(sample.delivery) for sample in samples]
    resources = {resource for outcome in outcomes if isinstance(outcome, Event) for resource in outcome.resources}
    mapped = Surroundings(mappings={resource.place: [mapping(resource)] for resource in resources})

    def run() -> None:
        for sample in samples:
            verify(scheme, secrets, sample.headers, sample.body, NOW)
            outcome = provider.route_event(sample.delivery)
            if isinstance(outcome, Event):
                explicit(outcome, mapped, provider.manifest.rank)

    return run

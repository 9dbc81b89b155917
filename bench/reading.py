"""Verify, understand and route one delivery, beside the standard library and gidgethub on the same bodies."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gidgethub import routing as gidgethub_routing
from gidgethub import sansio
from rounds import Candidate, Report, take_turns
from samples import PROVIDER, SECRET, Sample, read_samples

from speckitty_connectors import Event, ResourceReference, Secret, Target
from speckitty_connectors.inbox.signatures import verify
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.mappings.types import ResourceMapping
from speckitty_connectors.plugin import Delivery
from speckitty_connectors.routing.batch import Surroundings
from speckitty_connectors.routing.explicit import explicit

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def measure(report: Report, *, corpus: Path, rounds: int) -> None:
    """Add what it costs to read deliveries."""
    samples = read_samples(corpus)
    seconds = take_turns(
        {
            "floor": lambda: _floor(samples),
            "gidgethub": _gidgethub(samples),
            "routed": _routed(samples),
            "unrouted": _unrouted(samples),
        },
        rounds=rounds,
    )
    average = sum(len(sample.body) for sample in samples) // len(samples)
    report.title(f"{len(samples)} bodies of {average:,} bytes on average; the floor is hmac + json.loads")
    report.add("verify + typed event + route look-up / floor", seconds["routed"], seconds["floor"], aim="≤ 0.35")
    report.add("verify + drop of an unrouted kind / floor", seconds["unrouted"], seconds["floor"], aim="≤ 0.16")
    report.add("verify + typed event + route look-up / gidgethub", seconds["routed"], seconds["gidgethub"])
    report.add("gidgethub's from_http + fetch / floor", seconds["gidgethub"], seconds["floor"])


def _floor(samples: Sequence[Sample]) -> None:
    """Do what nobody can do without: one MAC and one decode by the standard library."""
    key = SECRET.encode()
    for sample in samples:
        expected = "sha256=" + hmac.new(key, sample.body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(expected, sample.signature)
        json.loads(sample.body)


def _gidgethub(samples: Sequence[Sample]) -> Candidate:
    router = gidgethub_routing.Router()
    for kind in {sample.kind for sample in samples}:
        router.add(_take, kind)
    requests = [
        (
            {
                "content-type": "application/json",
                "x-github-event": sample.kind,
                "x-github-delivery": "1",
                "x-hub-signature-256": sample.signature,
            },
            sample.body,
        )
        for sample in samples
    ]

    def run() -> None:
        for headers, body in requests:
            router.fetch(sansio.Event.from_http(headers, body, secret=SECRET))

    return run


async def _take(event: sansio.Event) -> None:
    """Stand for a handler; it is looked up, not called."""


def _routed(samples: Sequence[Sample]) -> Candidate:
    provider = Registry().provider(PROVIDER)
    (scheme,) = provider.manifest.webhooks.schemes.values()
    secrets = {"current": Secret(SECRET)}
    requests = [({"x-hub-signature-256": each.signature}, each) for each in samples]
    outcomes = [provider.route_event(_delivery(sample)) for sample in samples]
    resources = {resource for outcome in outcomes if isinstance(outcome, Event) for resource in outcome.resources}
    mapped = Surroundings(mappings={resource.place: [mapping(resource)] for resource in resources})

    def run() -> None:
        for headers, sample in requests:
            verify(scheme, secrets, headers, sample.body, NOW)
            outcome = provider.route_event(_delivery(sample))
            if isinstance(outcome, Event):
                explicit(outcome, mapped, provider.manifest.rank)

    return run


def _unrouted(samples: Sequence[Sample]) -> Candidate:
    rules = Registry().provider(PROVIDER).manifest.webhooks
    (scheme,) = rules.schemes.values()
    secrets = {"current": Secret(SECRET)}
    routed = frozenset({"no kind of the samples"})
    requests = [
        ({"x-hub-signature-256": each.signature, "x-github-event": each.kind}, each.body) for each in samples
    ]
    dropped = 0

    def run() -> None:
        nonlocal dropped
        for headers, body in requests:
            verify(scheme, secrets, headers, body, NOW)
            dropped += headers["x-github-event"] not in routed

    return run


def _delivery(sample: Sample) -> Delivery:
    return Delivery(provider=PROVIDER, host="github.com", kind=sample.kind, content=sample.body, received_at=NOW)


def mapping(resource: ResourceReference) -> ResourceMapping:
    """Return a mapping of a resource to a project of its own."""
    return ResourceMapping(
        workspace="w",
        id=resource.id,
        installation_id="i",
        resource_id=resource.id,
        resource_kind=resource.kind,
        resource_external_id=resource.id,
        resource_key=resource.key,
        target=Target(kind="project", id=resource.id),
        created_by="member:m",
        created_at=NOW,
        updated_at=NOW,
    )

"""The model of issue 11: a provider answers anything for a while; once it is well, nothing has happened.

Each provider is its own stand-in with the real plugin, over real HTTP. Nobody does anything but the clock: upkeep
runs every hour, and deliveries come in. In the end every installation, resource, mapping and webhook is as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import select

from speckitty_connectors import Installation
from speckitty_connectors.credentials.tables import grants
from speckitty_connectors.errors import ConnectorsError
from testbed.played import PROVIDERS, Played, open_played

from .weather import Trouble, Weather

HOUR = 3600.0
SEED = 20261130
NORMAL, MANY = 6, 200
"""Sequences for each provider: in every run, and in the long one, which tries a thousand in all."""

SUBSCRIBING = {"gitlab", "jira"}
FIRST = {"linear": "Project 1"}
"""What the story happens in, where that isn't the first of all by its id."""

TROUBLES = st.lists(st.sampled_from(Trouble), min_size=1, max_size=5)
SEQUENCES = st.lists(TROUBLES, min_size=1, max_size=3)
"""Hours, each with the troubles that follow each other in it."""


COMES_BACK = [[Trouble.EMPTY], [Trouble.DRIFTING], [Trouble.RIGHT]]
"""What is mapped is missed for long enough to be taken for gone; an event comes before it is there again."""


@define
class Model:
    """A host with one installation that is mapped, and what there was when all was well."""

    played: Played
    installation: Installation
    before: dict[str, Any] = field(factory=dict)
    told: int = 0

    def state(self) -> dict[str, Any]:
        """Return all that trouble must not change."""
        connectors, key = self.played.connectors, self.installation
        now = self.played.installation(key)
        with connectors.store.reading() as connection:
            rows = connection.execute(select(grants.c.credential_id, grants.c.condition))
            kept = sorted((row.credential_id, row.condition) for row in rows)
        resources = connectors.inventory.resources(key.workspace, key.id)
        there: Sequence[object] = getattr(self.played.provider.stand_in, "webhooks", tuple)()
        return {
            "installation": (now.status, now.status_reason, now.account_id, now.credential_id, now.scopes),
            "grants": kept,
            "resources": sorted((each.kind, each.external_id, each.key, each.status.value) for each in resources),
            "mappings": [(each.id, each.state.value) for each in connectors.mappings.list(workspace=key.workspace)],
            "webhooks": self._webhooks(),
            "webhooks there": len(there),
        }

    def _webhooks(self) -> list[tuple[str, str]]:
        if self.played.key not in SUBSCRIBING:
            return []
        known = self.played.connectors.subscriptions.webhooks(
            workspace=self.installation.workspace, installation_id=self.installation.id
        )
        return [(webhook.covers, webhook.fault) for webhook in known]

    def hour(self) -> None:
        """Let an hour pass, with upkeep at its end, and a listing that somebody asks for."""
        connectors, key = self.played.connectors, self.installation
        self.played.advance(HOUR)
        self.told += 1
        self.played.tell(self.told)
        connectors.upkeep.run()
        connectors.subscriptions.sync_due()
        with suppress(ConnectorsError):
            connectors.inventory.sync(key.workspace, key.id)
        if self.played.key in SUBSCRIBING:
            with suppress(ConnectorsError):
                connectors.subscriptions.sync(workspace=key.workspace, installation_id=key.id)

    def recover(self) -> None:
        """Let the provider be well, and the clock run for a day and a bit."""
        self.played.provider.answer = Weather()
        for hours in (1, 2, 25):
            self.played.advance((hours - 1) * HOUR)
            self.played.advance(HOUR)
            self.played.connectors.upkeep.run()
            self.played.connectors.subscriptions.sync_due()
        self.told += 1
        self.played.tell(self.told)


def opened(stack: ExitStack, key: str, database_url: str, **stand_in: Any) -> Model:
    """Connect, list and map; note what there is."""
    played = stack.enter_context(open_played(key, database_url, **stand_in))
    installation = played.connect()
    played.sync(installation)
    played.map(installation, key=FIRST.get(key, ""))
    if key in SUBSCRIBING:
        played.connectors.subscriptions.sync(workspace="w1", installation_id=installation.id)
    found = Model(played=played, installation=installation)
    found.before = found.state()
    return found


def try_out(model: Model, sequence: list[list[Trouble]]) -> None:
    """Let trouble come and go; hold that nothing happened."""
    slack = model.played.key == "slack"
    for troubles in sequence:
        model.played.provider.answer = Weather(troubles=troubles, slack=slack)
        model.hour()
    model.recover()
    assert model.state() == model.before
    assert len(model.played.dispatched) == model.told
    assert not list(model.played.connectors.review.list(workspace="w1"))
    revoked = [path for path in model.played.provider.paths() if "revoke" in path or path.endswith("/grant")]
    assert revoked == []


def try_many(key: str, urls: Iterator[str], examples: int) -> None:
    """Try sequences on one host, or on a new one after one that failed."""
    with ExitStack() as stack:
        models: list[Model] = []

        @seed(SEED)
        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @example(sequence=COMES_BACK)
        @given(sequence=SEQUENCES)
        def passes(sequence: list[list[Trouble]]) -> None:
            model = models.pop() if models else opened(stack, key, next(urls))
            try_out(model, sequence)
            models.append(model)  # only where nothing is left of it

        passes()


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[str]:
    """As many empty databases as are needed."""
    return (f"sqlite:///{tmp_path}/{number}.db" for number in itertools.count())


@pytest.mark.parametrize("key", PROVIDERS)
def test_trouble_passes(key: str, urls: Iterator[str]) -> None:
    """A few dozen sequences in every run."""
    try_many(key, urls, NORMAL)


def test_a_token_that_cannot_be_renewed_recovers(sqlite_url: str) -> None:
    """Refused for an hour, twice, with a good day between: no person has to consent again."""
    with ExitStack() as stack:
        model = opened(stack, "slack", sqlite_url, rotates=False)
        for _ in range(2):
            try_out(model, [[Trouble.UNAUTHORIZED]])


@pytest.mark.parametrize("key", PROVIDERS)
def test_trouble_passes_where_rows_are_locked_otherwise(key: str, postgresql_url: str) -> None:
    """One sequence on PostgreSQL, with something of everything."""
    with ExitStack() as stack:
        try_out(opened(stack, key, postgresql_url), [list(Trouble), list(reversed(Trouble))])


@pytest.mark.soak
@pytest.mark.parametrize("key", PROVIDERS)
def test_trouble_passes_a_thousand_times(key: str, urls: Iterator[str]) -> None:
    """Two hundred sequences for each of five providers; the seed is printed."""
    print(f"seed {SEED}")  # noqa: T201 - who repeats it needs it
    try_many(key, urls, MANY)

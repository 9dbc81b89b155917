"""What upkeep costs while a provider is unwell: a bounded number of requests an hour, however long it lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.played import PROVIDERS, open_played

from .weather import Trouble, Weather

HOUR = 3600.0
MOST = 12
"""Requests an hour for an installation, as docs/trouble.md says."""

UNWELL = (
    Trouble.UNAUTHORIZED,
    Trouble.FORBIDDEN,
    Trouble.NOT_FOUND,
    Trouble.THROTTLED,
    Trouble.UNAVAILABLE,
    Trouble.TIME_OUT,
)


@pytest.mark.soak
@pytest.mark.parametrize("key", PROVIDERS)
def test_an_unhappy_hour_costs_few_requests(key: str, tmp_path: Path) -> None:
    """Whatever the provider answers to everything, also with the tokens that ended meanwhile."""
    with open_played(key, f"sqlite:///{tmp_path}/one.db") as played:
        installation = played.connect()
        played.sync(installation)
        played.map(installation)
        played.connectors.subscriptions.sync_due()
        played.advance(25 * HOUR)
        sent = {}
        for trouble in UNWELL:
            played.provider.answer = Weather(troubles=[trouble], slack=key == "slack")
            for hour in range(3):
                played.advance(HOUR)
                played.provider.asked.clear()
                played.connectors.upkeep.run()
                played.connectors.subscriptions.sync_due()
                sent[trouble, hour] = len(played.provider.asked)
        assert max(sent.values()) <= MOST, sent
        assert sum(sent.values()) > len(sent) // 2

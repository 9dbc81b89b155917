"""What upkeep costs while a provider is unwell: a bounded number of requests an hour, however long it lasts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from speckitty_connectors.standin import StandInRequest, StandInResponse
from testbed.played import PROVIDERS, Answer, open_played

from .weather import TOKENS, Trouble, Weather

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


def unwell(trouble: Trouble, *, slack: bool, gives_tokens: bool) -> Answer:
    """Return a provider that answers everything with a trouble; tokens, it may still give."""
    weather = Weather(troubles=[trouble], slack=slack)

    def answer(request: StandInRequest, stand_in: Callable[[], StandInResponse]) -> StandInResponse | None:
        is_spared = gives_tokens and request.path.endswith(TOKENS)
        return stand_in() if is_spared else weather(request, stand_in)

    return answer


def unhappy_hours(key: str, database_url: str, answer: Answer) -> list[list[str]]:
    """Return the paths that three hours of trouble ask for, a day after all was well: everything is due then."""
    with open_played(key, database_url) as played:
        installation = played.connect()
        played.sync(installation)
        played.map(installation)
        played.connectors.subscriptions.sync_due()
        played.advance(25 * HOUR)
        played.provider.answer = answer
        hours = []
        for _ in range(3):
            played.advance(HOUR)
            played.provider.asked.clear()
            played.connectors.upkeep.run()
            played.connectors.subscriptions.sync_due()
            hours.append(played.provider.paths())
    return hours


@pytest.mark.soak
@pytest.mark.parametrize("gives_tokens", [True, False], ids=["with-tokens", "without-tokens"])
@pytest.mark.parametrize("key", PROVIDERS)
def test_an_unhappy_hour_costs_few_requests(key: str, gives_tokens: bool, tmp_path: Path) -> None:
    """Whatever the provider answers to everything, also with the tokens that ended meanwhile.

    Where new tokens are given, each trouble is met behind them, too: else all that is counted is their renewal.
    """
    for trouble in UNWELL:
        answer = unwell(trouble, slack=key == "slack", gives_tokens=gives_tokens)
        hours = unhappy_hours(key, f"sqlite:///{tmp_path}/{trouble.name}.db", answer)
        assert max(map(len, hours)) <= MOST, (trouble, hours)
        assert any(hours)
        assert not gives_tokens or any(not path.endswith(TOKENS) for hour in hours for path in hour)

"""What the plugin's tests share: events as Slack wraps them, a session that answers from a table, a stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen
from hypothesis import HealthCheck, settings

from speckitty_connectors.plugin import App, BaseUrls, Delivery, Outcome
from speckitty_connectors_slack import plugin

PROJECT = Path(__file__).resolve().parents[3]

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

SEEN = {"team_id": "T1", "enterprise_id": None, "user_id": "UBOT", "is_bot": True, "is_enterprise_install": False}
"""The authorisation that most events of these tests are visible to."""


@frozen(kw_only=True)
class Answer:
    """An answer of the Web API."""

    document: object
    next_link: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)

    def json(self) -> object:
        return self.document


@define(kw_only=True)
class Session:
    """Gives its answers one after the other, and notes what was asked."""

    answers: list[object]
    asked: list[tuple[str, Mapping[str, str]]] = field(factory=list)

    def get(self, url: str, *, parameters: Mapping[str, str] | None = None) -> Answer:
        self.asked.append((url, dict(parameters or {})))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Answer(document=answer)

    def post(self, url: str, *, document: object = None) -> Answer:
        raise AssertionError(f"the plugin writes nothing, but posted to {url}")

    def put(self, url: str, *, document: object = None) -> Answer:
        raise AssertionError(f"the plugin writes nothing, but put to {url}")

    def delete(self, url: str) -> Answer:
        raise AssertionError(f"the plugin writes nothing, but deleted {url}")


@pytest.fixture
def session() -> Callable[..., Session]:
    """Make a session from its answers."""

    def make(*answers: object) -> Session:
        return Session(answers=list(answers))

    return make


@pytest.fixture
def app() -> Callable[..., App]:
    """Make the app as it is registered with slack.com, with some settings."""

    def make(**settings_of_app: str) -> App:
        return App(
            provider="slack",
            host="slack.com",
            client_id="1.2",
            urls=BaseUrls(web="https://slack.com", api="https://slack.com/api"),
            settings=settings_of_app,
        )

    return make


def read(content: bytes, fields: Mapping[str, str] | None = None) -> Outcome:
    """Say what a delivery means."""
    return plugin.route_event(
        Delivery(
            provider="slack",
            host="slack.com",
            kind="",
            content=content,
            fields=fields or {},
            received_at=datetime(2026, 1, 2, tzinfo=UTC),
        )
    )


@pytest.fixture
def route() -> Callable[..., Outcome]:
    """Say what a document (or raw bytes) means."""

    def route_it(document: object) -> Outcome:
        return read(document if isinstance(document, bytes) else json.dumps(document).encode())

    return route_it


@pytest.fixture
def command() -> Callable[..., Outcome]:
    """Say what a slash command's fields mean."""

    def route_it(**fields: str) -> Outcome:
        return read(b"", fields)

    return route_it


@pytest.fixture
def tell() -> Callable[..., Outcome]:
    """Say what an event means, wrapped as the Events API wraps it."""

    def route_it(kind: str, *, seen: Sequence[Mapping[str, Any]] = (SEEN,), **values: Any) -> Outcome:
        outer = {name[1:]: values.pop(name) for name in tuple(values) if name.startswith("_")}
        whole = {
            "type": "event_callback",
            "team_id": "T1",
            "api_app_id": "A1",
            "event_id": "Ev1",
            "event_time": 1_767_312_000,
            "authorizations": list(seen),
            **outer,
            "event": {"type": kind, **values},
        }
        return read(json.dumps(whole).encode())

    return route_it


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded deliveries beside the project, ``shared/corpus``."""
    folder = PROJECT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("the corpus of recorded deliveries isn't beside this project")
    return folder

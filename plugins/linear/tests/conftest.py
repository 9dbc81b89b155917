"""What the plugin's tests share: deliveries, a session that answers by operation, the app."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen
from hypothesis import HealthCheck, settings

from speckitty_connectors.plugin import App, Delivery, Outcome
from speckitty_connectors_linear import plugin

PROJECT = Path(__file__).resolve().parents[3]

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@frozen(kw_only=True)
class Answer:
    """An answer of Linear's API."""

    document: object
    next_link: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)

    def json(self) -> object:
        return self.document


@define(kw_only=True)
class Session:
    """Answers each operation with its next data, or raises its next error, and notes the variables."""

    answers: dict[str, list[Any]]
    asked: list[tuple[str, object]] = field(factory=list)

    def post(self, url: str, *, document: Any = None) -> Answer:
        assert url == "/graphql"
        self.asked.append((document["operationName"], document["variables"]))
        answer = self.answers[document["operationName"]].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Answer(document={"data": answer})

    def get(self, url: str, *, parameters: Mapping[str, str] | None = None) -> Answer:
        raise AssertionError(f"Linear's API knows no GET {url}")

    query = put = delete = post


@pytest.fixture
def session() -> Callable[[Mapping[str, Sequence[Any]]], Session]:
    """Make a session from operation → data or errors, in order."""
    return lambda answers: Session(answers={name: list(given) for name, given in answers.items()})


@pytest.fixture
def app() -> App:
    """The app as it is registered with Linear."""
    return App(provider="linear", host="linear.app", client_id="kitty", urls=plugin.manifest.hosts.urls)


@pytest.fixture
def route() -> Callable[..., Outcome]:
    """Say what a document, or raw bytes, means."""

    def read(document: object, kind: str = "") -> Outcome:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return plugin.route_event(
            Delivery(
                provider="linear",
                host="linear.app",
                kind=kind,
                content=content,
                received_at=datetime(2026, 1, 2, tzinfo=UTC),
            )
        )

    return read


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded deliveries beside the project, ``shared/corpus``."""
    folder = PROJECT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("the corpus of recorded deliveries isn't beside this project")
    return folder

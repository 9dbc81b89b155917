"""What the plugin's tests share: deliveries, a session that answers from a table, apps of both editions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import define, field, frozen
from hypothesis import HealthCheck, settings

from speckitty_connectors.plugin import App, BaseUrls, Delivery, Outcome
from speckitty_connectors_jira import plugin

PROJECT = Path(__file__).resolve().parents[3]

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@frozen(kw_only=True)
class Answer:
    """An answer of Jira's API."""

    document: object
    next_link: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)

    def json(self) -> object:
        return self.document


@define(kw_only=True)
class Session:
    """Answers from a table of ``METHOD url``, and notes what was asked with its parameters or document."""

    answers: Mapping[str, object]
    asked: list[tuple[str, object]] = field(factory=list)

    def get(self, url: str, *, parameters: Mapping[str, str] | None = None) -> Answer:
        return self._answer("GET", url, dict(parameters or {}))

    def post(self, url: str, *, document: object = None) -> Answer:
        return self._answer("POST", url, document)

    def put(self, url: str, *, document: object = None) -> Answer:
        return self._answer("PUT", url, document)

    def delete(self, url: str, *, document: object = None) -> Answer:
        return self._answer("DELETE", url, document)

    def _answer(self, method: str, url: str, sent: object) -> Answer:
        self.asked.append((f"{method} {url}", sent))
        answer = self.answers[f"{method} {url}"]
        if isinstance(answer, Exception):
            raise answer
        return Answer(document=answer)


@pytest.fixture
def session() -> Callable[[Mapping[str, object]], Session]:
    """Make a session from ``METHOD url`` → document or error."""
    return lambda answers: Session(answers=answers)


@pytest.fixture
def app() -> App:
    """The app as it is registered with Atlassian."""
    urls = plugin.manifest.hosts.urls
    return App(provider="jira", host="atlassian.net", client_id="kitty", urls=urls)


@pytest.fixture
def server_app() -> App:
    """The app as it is registered with a Data Center instance that has a context path."""
    urls = BaseUrls(web="https://Jira.example/jira", api="https://Jira.example/jira")
    return App(provider="jira", host="jira.example", client_id="kitty", urls=urls, self_managed=True)


@pytest.fixture
def route() -> Callable[..., Outcome]:
    """Say what a document, or raw bytes, means."""

    def read(document: object) -> Outcome:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return plugin.route_event(
            Delivery(
                provider="jira",
                host="atlassian.net",
                kind="",
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

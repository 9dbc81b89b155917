"""What the plugin's tests share: deliveries, a session that answers from a table, and GitLab's own description."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import define, field, frozen
from hypothesis import HealthCheck, settings

from speckitty_connectors.plugin import Account, App, BaseUrls, Delivery, Outcome, ResourceReference
from speckitty_connectors_gitlab import plugin

PROJECT = Path(__file__).resolve().parents[3]

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@frozen(kw_only=True)
class Answer:
    """An answer of GitLab's API."""

    document: object = None
    next_link: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)

    def json(self) -> object:
        return self.document


@define(kw_only=True)
class Session:
    """Answers from a table of method and URL, and notes what was asked."""

    answers: Mapping[str, Answer | Exception]
    asked: list[tuple[str, object]] = field(factory=list)

    def get(self, url: str, *, parameters: Mapping[str, str] | None = None) -> Answer:
        return self._answer(f"GET {url}", dict(parameters or {}))

    def post(self, url: str, *, document: object = None) -> Answer:
        return self._answer(f"POST {url}", document)

    def put(self, url: str, *, document: object = None) -> Answer:
        return self._answer(f"PUT {url}", document)

    def delete(self, url: str) -> Answer:
        return self._answer(f"DELETE {url}", {})

    def _answer(self, request: str, sent: object) -> Answer:
        self.asked.append((request, sent))
        answer = self.answers[request]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def session() -> Callable[[Mapping[str, object]], Session]:
    """Make a session from "METHOD URL" → document, (document, next link) or error."""

    def make(answers: Mapping[str, object]) -> Session:
        return Session(answers={request: _answer(answer) for request, answer in answers.items()})

    return make


def _answer(answer: object) -> Answer | Exception:
    if isinstance(answer, Exception):
        return answer
    document, next_link = answer if isinstance(answer, tuple) else (answer, "")
    return Answer(document=document, next_link=next_link)


@pytest.fixture
def app() -> App:
    """The app as it is registered with gitlab.com."""
    return App(
        provider="gitlab",
        host="gitlab.com",
        client_id="kitty",
        urls=BaseUrls(web="https://gitlab.com", api="https://gitlab.com/api/v4"),
    )


@pytest.fixture
def account() -> Account:
    """The account of the installation."""
    return Account(id="2001", name="kitchen", kind="group")


@pytest.fixture
def route() -> Callable[..., Outcome]:
    """Say what a delivery of a kind and a document (or raw bytes) means."""

    def read(
        kind: str,
        document: object,
        *,
        headers: Mapping[str, str] | None = None,
        host: str = "gitlab.com",
        covers: tuple[ResourceReference, ...] = (),
        received_at: datetime = datetime(2026, 1, 2, tzinfo=UTC),
    ) -> Outcome:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return plugin.route_event(
            Delivery(
                provider="gitlab",
                host=host,
                kind=kind,
                content=content,
                headers=headers or {},
                received_at=received_at,
                covers=covers,
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

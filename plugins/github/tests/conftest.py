"""What the plugin's tests share: deliveries, a session that answers from a table, and GitHub's own descriptions."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import jwt
import pytest
from attrs import define, field, frozen
from hypothesis import HealthCheck, settings

from speckitty_connectors.plugin import Account, App, BaseUrls, Delivery, Outcome
from speckitty_connectors_github import plugin
from speckitty_connectors_github.standin import GitHubStandIn

PROJECT = Path(__file__).resolve().parents[3]

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@frozen(kw_only=True)
class Answer:
    """An answer of GitHub's API."""

    document: object
    next_link: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)

    def json(self) -> object:
        return self.document


@define(kw_only=True)
class Session:
    """Answers from a table, and notes what was asked."""

    answers: Mapping[str, Answer | Exception]
    asked: list[tuple[str, Mapping[str, str]]] = field(factory=list)

    def get(self, url: str, *, parameters: Mapping[str, str] | None = None) -> Answer:
        self.asked.append((url, dict(parameters or {})))
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def post(self, url: str, *, document: object = None) -> Answer:
        raise AssertionError(f"the plugin writes nothing, but posted to {url}")

    def put(self, url: str, *, document: object = None) -> Answer:
        raise AssertionError(f"the plugin writes nothing, but put to {url}")

    def delete(self, url: str) -> Answer:
        raise AssertionError(f"the plugin writes nothing, but deleted {url}")


@frozen(kw_only=True)
class Page:
    """What a browser or a client gets from the stand-in."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def parameters(self) -> dict[str, str]:
        """The query of the address that the browser is sent to."""
        return dict(parse_qsl(urlsplit(self.headers["Location"]).query))


@frozen(kw_only=True)
class Client:
    """Asks a stand-in without a network, through the standard library's WSGI validator."""

    stand_in: GitHubStandIn

    verifier = "v" * 64
    setup_url = "https://host.example/setup?from=github"
    callback_url = "https://host.example/callback"

    @property
    def credentials(self) -> dict[str, str]:
        """What a token request identifies the app with."""
        registration = self.stand_in.registration("https://github.example")
        return {"client_id": registration["client_id"], "client_secret": registration["client_secret"]}

    def ask(self, method: str, url: str, *, form: Mapping[str, str] | None = None, **headers: str) -> Page:
        path, _, query = url.partition("?")
        body = urlencode(form or {}).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "wsgi.input": io.BytesIO(body),
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        setup_testing_defaults(environ)
        started: list[Any] = []

        def start(status: str, answered: list[tuple[str, str]], _: object = None) -> Callable[[bytes], object]:
            started.extend((status, answered))
            return lambda _: None

        answer: Any = validator(self.stand_in.application)(environ, start)
        content = b"".join(answer)
        answer.close()
        return Page(status=int(started[0].split()[0]), headers=dict(started[1]), body=content)

    def new_code(self) -> str:
        """Authorise as a person who agrees."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "client_id": self.credentials["client_id"],
            "redirect_uri": self.callback_url,
            "state": "s",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return self.ask("GET", f"/login/oauth/authorize?{urlencode(query)}").parameters["code"]

    def exchange(self, **form: str) -> dict[str, Any]:
        """Ask the token endpoint for JSON, with a new code where none is named; it always answers 200."""
        whole = {**self.credentials, "code": self.new_code(), "code_verifier": self.verifier, **form}
        page = self.ask("POST", "/login/oauth/access_token", form=whole, accept="application/json")
        assert page.status == 200
        document: dict[str, Any] = page.document
        return document

    def app_token(self, **claims: Any) -> str:
        """Sign a JWT with the app's key."""
        now = int(time.time())
        whole = {"iss": self.credentials["client_id"], "iat": now - 60, "exp": now + 540, **claims}
        key = self.stand_in.registration("https://github.example")["private_key"]
        return jwt.encode(whole, key or "", algorithm="RS256")

    def mint(self, **claims: Any) -> Page:
        """Ask for an installation token."""
        path = "/api/v3/app/installations/4242/access_tokens"
        return self.ask("POST", path, authorization=f"Bearer {self.app_token(**claims)}")


@pytest.fixture
def client() -> Client:
    """A client of a stand-in that nobody has visited yet; its second page of repositories is throttled once."""
    return Client(
        stand_in=GitHubStandIn(setup_url=Client.setup_url, callback_url=Client.callback_url, throttled_page=2)
    )


@pytest.fixture
def session() -> Callable[[Mapping[str, object]], Session]:
    """Make a session from URL → document, (document, next link) or error."""

    def make(answers: Mapping[str, object]) -> Session:
        return Session(answers={url: _answer(answer) for url, answer in answers.items()})

    return make


def _answer(answer: object) -> Answer | Exception:
    if isinstance(answer, Exception):
        return answer
    document, next_link = answer if isinstance(answer, tuple) else (answer, "")
    return Answer(document=document, next_link=next_link)


@pytest.fixture
def app() -> App:
    """The app as it is registered with github.com."""
    return App(
        provider="github",
        host="github.com",
        client_id="Iv1.kitty",
        urls=BaseUrls(web="https://github.com", api="https://api.github.com"),
        settings={"slug": "kitty"},
    )


@pytest.fixture
def account() -> Account:
    """The account of the installation."""
    return Account(id="2001", name="octo-org", kind="organization")


@pytest.fixture
def route() -> Callable[..., Outcome]:
    """Say what a delivery of a kind and a document (or raw bytes) means."""

    def read(kind: str, document: object, headers: Mapping[str, str] | None = None) -> Outcome:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return plugin.route_event(
            Delivery(
                provider="github",
                host="github.com",
                kind=kind,
                content=content,
                headers=headers or {},
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


@pytest.fixture(scope="session")
def description() -> dict[str, Any]:
    """GitHub's REST API description beside the project, ``shared/schemas/github.json``."""
    file = PROJECT.parent / "shared" / "schemas" / "github.json"
    if not file.is_file():
        pytest.skip("GitHub's REST API description isn't beside this project")
    document: dict[str, Any] = json.loads(file.read_bytes())
    return document

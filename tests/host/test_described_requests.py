"""The check that holds requests against published descriptions finds each mistake, or it would prove nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from testbed.schemas import UndescribedRequestError, check, check_answering_session, description

ROOT = "https://slack.example/api"


@pytest.fixture(autouse=True)
def published() -> None:
    if description("slack") is None:
        pytest.skip("the published descriptions aren't beside this project")


def prepared(method: str, path: str, **options: Any) -> requests.PreparedRequest:
    return requests.Request(method, f"{ROOT}{path}", **options).prepare()


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/conversations.list", {"params": {"limit": "10", "types": "public_channel", "team_id": "T1"}}),
        ("GET", "/auth.test", {}),
        ("POST", "/oauth.v2.access", {"data": {"code": "c", "client_id": "1", "grant_type": "authorization_code"}}),
    ],
)
def test_a_described_request_is_passed(method: str, path: str, options: dict[str, object]) -> None:
    """Method, path, parameters and form are those that are published."""
    check("slack", prepared(method, path, **options))


@pytest.mark.parametrize(
    ("method", "path", "options", "said"),
    [
        ("GET", "/conversations.all", {}, "isn't described"),
        ("DELETE", "/conversations.list", {}, "isn't described"),
        ("GET", "/conversations.list", {"params": {"page": "2"}}, "takes no page"),
        ("GET", "/conversations.list", {"params": {"limit": "many"}}, "is not of type 'integer'"),
        ("POST", "/openid.connect.token", {"data": {"client_id": "1"}}, "misses code"),
        ("POST", "/oauth.v2.access", {"data": {"code": "c", "scope": "x"}}, "takes no scope"),
        ("POST", "/auth.revoke", {"json": {"test": True}}, "takes no JSON document"),
    ],
)
def test_a_mistake_is_named(method: str, path: str, options: dict[str, object], said: str) -> None:
    """Whatever isn't published fails the test that sent it, and says what it was."""
    with pytest.raises(UndescribedRequestError, match=said):
        check("slack", prepared(method, path, **options))


def test_a_document_is_held_against_its_schema() -> None:
    """A body of the wrong shape is found too, where the description is OpenAPI 3."""
    path = "https://api.github.com/app-manifests/x/conversions"
    check("github", requests.Request("POST", path).prepare())
    token = "https://api.github.com/app/installations/7/access_tokens"
    check("github", requests.Request("POST", token, json={"repository_ids": [1]}).prepare())
    with pytest.raises(UndescribedRequestError, match="integer"):
        check("github", requests.Request("POST", token, json={"repository_ids": ["one"]}).prepare())


GRAPHQL = "https://api.linear.app/graphql"
VIEWER = "query Who { viewer { id } }"
TEAMS = "query Some($first: Int!) { teams(first: $first) { nodes { id } } }"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"operationName": "Who", "query": VIEWER}, ""),
        ({"operationName": "Some", "query": TEAMS, "variables": {"first": 50}}, ""),
        ({"operationName": "Who", "query": "query Who {"}, "Syntax Error"),
        ({"operationName": "Who", "query": "query Who { viewer { shoeSize } }"}, "shoeSize"),
        ({"operationName": "Other", "query": VIEWER}, "no operation is named Other"),
        ({"operationName": "Some", "query": TEAMS, "variables": {"first": "many"}}, "many"),
        ({"operationName": "Some", "query": TEAMS, "variables": {}}, "first"),
        ({"operationName": "Who", "query": VIEWER, "variables": {"after": "x"}}, "no variable after"),
    ],
)
def test_a_graphql_request_is_held_against_the_schema(sent: dict[str, Any], said: str) -> None:
    """Document, operation and variables have to be those that the schema knows."""
    request = requests.Request("POST", GRAPHQL, json=sent).prepare()
    if not said:
        check("linear", request)
        return
    with pytest.raises(UndescribedRequestError, match=said):
        check("linear", request)


class Session:
    """A session as the plugins' own tests have it: it answers without any HTTP."""

    def get(self, url: str, *, parameters: Mapping[str, str] | None = None) -> str:
        return f"{url} {parameters}"

    def post(self, url: str, *, document: object = None) -> str:
        return f"{url} {document}"


def test_a_session_that_only_answers_checks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a plugin asks in its own tests is held against the description as well, whatever its URL begins with."""
    check_answering_session("slack", SimpleNamespace(Session=Session), monkeypatch)
    session = Session()
    assert session.get("/conversations.list", parameters={"limit": "10"}) == "/conversations.list {'limit': '10'}"
    with pytest.raises(UndescribedRequestError, match="takes no page"):
        session.get(f"{ROOT}/conversations.list", parameters={"page": "2"})
    with pytest.raises(UndescribedRequestError, match="isn't described"):
        session.post("/chat.shout", document={"text": "hello"})

"""Holds every request that plugins send in tests against what the providers publish about their APIs.

The published descriptions are beside the project and not part of it; where they aren't there, nothing is held
against anything. They are OpenAPI 3 or Swagger 2, beside which there may be a GraphQL schema, and some are older
than what we ask: `ADDITIONS` has the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from attrs import frozen
from jsonschema import Draft4Validator

from speckitty_connectors.http.adapter import GuardedAdapter
from speckitty_connectors.http.response import write_document
from speckitty_connectors.loading.registry import Registry

from .graphql_schemas import GraphQlDescription

Document = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "schemas"

PUBLISHED = frozenset(path.stem for path in FOLDER.glob("*.*") if path.suffix != ".md")
"""The providers whose descriptions are there."""

METHODS = frozenset({"delete", "get", "patch", "post", "put"})


def query(*names: str) -> list[Document]:
    """Describe parameters of a query."""
    return [{"name": name, "in": "query", "type": "string"} for name in names]


def form(*names: str, required: tuple[str, ...] = ()) -> list[Document]:
    """Describe fields of a form."""
    return [{"name": name, "in": "formData", "type": "string", "required": name in required} for name in names]


def document(*names: str, required: tuple[str, ...]) -> list[Document]:
    """Describe the fields of a JSON document, each a text."""
    properties = {name: {"type": "string"} for name in names}
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return [{"name": "body", "in": "body", "schema": json.loads(json.dumps(schema))}]


CLIENT = ("client_id", "client_secret", "redirect_uri", "grant_type")

HOOK: list[Document] = [
    {
        "name": "hook",
        "in": "body",
        "schema": {
            "type": "object",
            "required": ["url"],
            "properties": {
                **{name: {"type": "string"} for name in ("url", "name", "token", "signing_token")},
                "enable_ssl_verification": {"type": "boolean"},
            },
        },
    }
]

ADDITIONS: Mapping[str, Mapping[str, Mapping[str, list[Document]]]] = {
    "github": {
        "/login/oauth/access_token": {
            # "Generating a user access token for a GitHub App"
            "post": form(*CLIENT, "code", "code_verifier", "refresh_token", required=("client_id", "client_secret"))
        },
        "/user/memberships/orgs/{org}": {"get": []},
    },
    "gitlab": {
        # "Group webhooks API"
        "/groups/{id}/hooks": {"get": query("per_page", "page"), "post": HOOK},
        "/groups/{id}/hooks/{hook_id}": {"get": [], "put": HOOK, "delete": []},
        # "OAuth 2.0 identity provider API"
        "/oauth/token": {
            "post": form(*CLIENT, "code", "code_verifier", "refresh_token", required=("grant_type", "redirect_uri"))
        },
        "/oauth/revoke": {
            "post": form("client_id", "client_secret", "token", "token_type_hint", required=("token",))
        },
    },
    "jira": {
        # Atlassian's page "OAuth 2.0 (3LO) apps"
        "/oauth/token": {"post": document(*CLIENT, "code", "refresh_token", required=CLIENT[:2])},
        "/oauth/token/accessible-resources": {"get": []},
        "/me": {"get": []},
        # Data Center, "Jira OAuth 2.0 provider API" and the REST API of its own
        "/rest/oauth2/latest/token": {
            "post": form(*CLIENT, "code", "code_verifier", "refresh_token", required=CLIENT[:2])
        },
        "/rest/api/2/serverInfo": {"get": []},
        "/rest/api/2/myself": {"get": []},
        "/rest/api/2/project": {"get": query("expand", "includeArchived")},
    },
    "linear": {
        # "OAuth 2.0 authentication"; the rest is the GraphQL schema
        "/oauth/token": {"post": form(*CLIENT, "code", "code_verifier", "refresh_token", required=("grant_type",))},
        "/oauth/revoke": {
            "post": form("client_id", "client_secret", "token", "token_type_hint", required=("token",))
        },
    },
    "slack": {
        "/conversations.list": {"get": query("team_id")},
        "/auth.teams.list": {"get": query("cursor", "limit", "include_icon")},
        "/oauth.v2.access": {"post": form("grant_type", "refresh_token")},
        "/openid.connect.token": {"post": form(*CLIENT, "code", "refresh_token", required=("client_id", "code"))},
        "/openid/connect/keys": {"get": []},
    },
}
"""Provider → path → method → parameters that its published description lacks, from the vendor's pages."""

WAIVED = {("/oauth.v2.access", "code")}
"""Parameters that are required no more: a refresh has no code ("Token rotation")."""


class UndescribedRequestError(AssertionError):
    """A plugin sent what the provider's description doesn't allow."""


@frozen(kw_only=True)
class Description:
    """What one provider publishes about its API."""

    document: Document
    paths: Mapping[str, Mapping[str, list[Document]]]
    graphql: GraphQlDescription | None = None

    @classmethod
    def of(cls, provider: str, document: Document, graphql: GraphQlDescription | None = None) -> Description:
        """Read a description, and add what it lacks."""
        paths: dict[str, dict[str, list[Document]]] = {}
        for path, operations in document["paths"].items():
            shared = operations.get("parameters", [])
            for method in METHODS & operations.keys():
                operation = operations[method]
                found = [*shared, *operation.get("parameters", []), *_body(operation)]
                paths.setdefault(path, {})[method] = [_resolved(document, each) for each in found]
        for path, added in ADDITIONS.get(provider, {}).items():
            for method, parameters in added.items():
                known = paths.setdefault(path, {}).setdefault(method, [])
                known.extend(parameters)
        return cls(document=document, paths=paths, graphql=graphql)

    def objections(self, request: requests.PreparedRequest) -> Iterator[str]:
        """Yield what the description has against a request."""
        parts = urlsplit(str(request.url))
        method = str(request.method).lower()
        if self.graphql and parts.path.endswith("/graphql"):
            yield from self.graphql.objections(request)
            return
        path = self._path(parts.path, method)
        if path is None:
            yield f"{request.method} {parts.path} isn't described"
            return
        parameters = self.paths[path][method]
        sent = parse_qsl(parts.query, keep_blank_values=True)
        yield from self._values(path, "query", parameters, sent)
        yield from self._content(path, parameters, request)

    def _path(self, path: str, method: str) -> str | None:
        """Return the template that the end of a path fits; hosts serve their APIs below different roots."""
        fitting = [
            template
            for template, operations in self.paths.items()
            if method in operations and re.search(rf"{_pattern(template)}$", path)
        ]
        return max(fitting, key=lambda template: (template.count("/"), -template.count("{")), default=None)

    def _content(self, path: str, parameters: list[Document], request: requests.PreparedRequest) -> Iterator[str]:
        body = request.body or b""
        text = body if isinstance(body, str) else bytes(body).decode()
        schemas = [each["schema"] for each in parameters if each["in"] == "body"]
        if "json" in str(request.headers.get("Content-Type", "")) and text:
            if not schemas:
                yield f"{path} takes no JSON document"
            for schema in schemas:
                yield from self._errors(path, schema, json.loads(text))
            return
        yield from self._values(path, "formData", parameters, parse_qsl(text, keep_blank_values=True))

    def _values(
        self, path: str, place: str, parameters: list[Document], sent: list[tuple[str, str]]
    ) -> Iterator[str]:
        known = {each["name"].removesuffix("[]"): each for each in parameters if each["in"] == place}
        for name, value in sent:
            described = known.get(name.removesuffix("[]"))
            if described is None:
                yield f"{path} takes no {name} in its {place}"
            else:
                schema = described.get(
                    "schema", {key: described[key] for key in ("type", "enum") if key in described}
                )
                yield from self._errors(f"{path} {name}", schema, _typed(_resolved(self.document, schema), value))
        missing = {name for name, each in known.items() if each.get("required")} - {name for name, _ in sent}
        yield from (f"{path} misses {name}" for name in sorted(missing) if (path, name) not in WAIVED)

    def _errors(self, where: str, schema: Document, value: object) -> Iterator[str]:
        # What a schema refers to is looked for in the schema itself.
        named = {name: self.document[name] for name in ("components", "definitions") if name in self.document}
        validator = Draft4Validator({**_resolved(self.document, schema), **named})
        yield from (f"{where}: {error.message}" for error in validator.iter_errors(value))


@cache
def description(provider: str) -> Description | None:
    """Return what a provider publishes, or None where that isn't beside the project."""
    if provider not in PUBLISHED:
        return None
    rest, graphql = FOLDER / f"{provider}.json", FOLDER / f"{provider}.graphql"
    document = json.loads(rest.read_bytes()) if rest.is_file() else {"paths": {}}
    schema = GraphQlDescription.read(graphql) if graphql.is_file() else None
    return Description.of(provider, document, schema)


def check(provider: str, request: requests.PreparedRequest) -> None:
    """Hold a request against the description of a provider.

    Raises:
        UndescribedRequestError: it isn't one that the description allows.
    """
    known = description(provider)
    found = list(known.objections(request)) if known else []
    if found:
        raise UndescribedRequestError(f"{provider}: {'; '.join(found)}")


def checked_send(provider: str, send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    """Return what checks a request before it sends it."""

    def checked(
        adapter: GuardedAdapter, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        check(provider, request)
        return send(adapter, request)

    return checked


def check_answering_session(provider: str, module: object, patch: pytest.MonkeyPatch) -> None:
    """Let the class `Session` of a plugin's tests, which answers without any HTTP, check what it is asked."""
    session = getattr(module, "Session", None)
    for name in {*METHODS, "query"} & set(dir(session)):
        method = "post" if name == "query" else name
        patch.setattr(session, name, _checked_call(provider, method, getattr(session, name)))


def _checked_call(provider: str, method: str, answer: Callable[..., object]) -> Callable[..., object]:
    def checked(
        session: object,
        url: str,
        *,
        parameters: Mapping[str, str] | None = None,
        document: object = None,
    ) -> object:
        root = Registry().provider(provider).manifest.hosts.urls.api
        whole = url if urlsplit(url).scheme else f"{root}{url}"
        sent = requests.Request(method.upper(), whole, params=parameters)
        if document is not None:
            sent.data, sent.headers = write_document(document), {"Content-Type": "application/json"}
        check(provider, sent.prepare())
        given = {"parameters": parameters, "document": document}
        return answer(session, url, **{name: value for name, value in given.items() if value is not None})

    return checked


def _body(operation: Document) -> list[Document]:
    """Return the body of an OpenAPI 3 operation as Swagger 2 has it, among the parameters."""
    content = operation.get("requestBody", {}).get("content", {})
    return [
        {"name": "body", "in": "body", "schema": each["schema"]} for kind, each in content.items() if "json" in kind
    ]


def _resolved(document: Document, node: Document) -> Document:
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def _pattern(template: str) -> str:
    return re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template))


def _typed(schema: Document, value: str) -> object:
    """Return a text as the type that its schema asks for, where it can be read as one."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?[0-9]+", value):
        return int(value)
    if kind == "boolean" and value in {"true", "false"}:
        return value == "true"
    return value.split(",") if kind == "array" else value

"""What the plugin asks and the stand-in answers, held against GitHub's own REST API description."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from speckitty_connectors.plugin import Account, App, Conversation, Grant, Listing
from speckitty_connectors_github import plugin

MEMBERSHIP = "/user/memberships/orgs/octo-org"
"""The copy of the description leaves this path out."""

ANSWERS: dict[str, object] = {
    "/user": {"id": 1001, "login": "mona", "type": "User"},
    "/user/installations": {
        "total_count": 1,
        "installations": [{"id": 42, "account": {"id": 2001, "login": "octo-org", "type": "Organization"}}],
    },
    MEMBERSHIP: {"state": "active", "role": "admin"},
    "/installation/repositories": {"total_count": 0, "repositories": []},
    "/user/installations/42/repositories": {"total_count": 0, "repositories": []},
}


def test_every_request_is_one_that_github_describes(
    app: App, account: Account, session: Callable[..., Any], description: dict[str, Any]
) -> None:
    """Each path that the plugin asks exists, and takes the parameters that are sent."""
    github = session(ANSWERS)
    conversation = Conversation(
        app=app, state="s", remembered={"installation_id": "42"}, grant=Grant(scopes=(), session=github)
    )
    plugin.install(conversation)
    plugin.link_user(conversation)
    for as_member in (False, True):
        listing = Listing(app=app, account=account, session=github, installation="42", as_member=as_member)
        list(plugin.list_resources(listing))
    assert {url for url, _ in github.asked} == set(ANSWERS)
    for url, parameters in github.asked:
        if url != MEMBERSHIP:
            assert set(parameters) <= set(described(description, url)), url


def test_the_minting_of_tokens_is_one_that_github_describes(description: dict[str, Any]) -> None:
    """The manifest's address for installation tokens is GitHub's, and so are the two fields that are read of it."""
    rules = plugin.manifest.app_tokens
    assert rules is not None
    path = rules.mint_url.replace("{api}", "").replace("{installation}", "{installation_id}")
    answer = description["paths"][path]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    required = resolved(description, answer)["required"]
    assert {rules.token_field, rules.expires_field} <= set(required)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/user", "/user"),
        ("/user/installations", "/user/installations"),
        ("/user/installations/4242/repositories", "/user/installations/{installation_id}/repositories"),
        ("/installation/repositories", "/installation/repositories"),
    ],
)
def test_the_stand_in_answers_as_github_describes(
    client: Any, description: dict[str, Any], path: str, template: str
) -> None:
    """Each answer has what GitHub's has: every required field, in its type."""
    client.ask("GET", "/github-apps/kitty-stand-in/installations/new")
    user, installation = client.exchange()["access_token"], client.mint().document["token"]
    token = installation if path.startswith("/installation/") else user
    page = client.ask("GET", f"/api/v3{path}", authorization=f"Bearer {token}")
    answer = description["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert page.status == 200
    assert list(problems(description, answer, page.document, "answer")) == []


def test_the_stand_in_mints_tokens_as_github_describes(client: Any, description: dict[str, Any]) -> None:
    """The answer with an installation token has GitHub's shape, too."""
    minting = description["paths"]["/app/installations/{installation_id}/access_tokens"]["post"]
    answer = minting["responses"]["201"]["content"]["application/json"]["schema"]
    assert list(problems(description, answer, client.mint().document, "answer")) == []


def described(description: Mapping[str, Any], url: str) -> list[str]:
    """Return the names of the query parameters of the path that a URL is one of."""
    for template, operations in description["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), url):
            parameters = operations["get"].get("parameters", [])
            return [resolved(description, parameter)["name"] for parameter in parameters]
    raise AssertionError(f"GitHub describes no {url}")


def resolved(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference inside the description."""
    while "$ref" in schema:
        found: Any = description
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def problems(description: Mapping[str, Any], schema: Mapping[str, Any], document: Any, where: str) -> Iterator[str]:
    """Yield what a document lacks or has in another type (OpenAPI 3.0: type, nullable, required, items, any of)."""
    schema = resolved(description, schema)
    if document is None:
        if not schema.get("nullable") and "type" in schema:
            yield f"{where} is null"
        return
    for part in schema.get("allOf", ()):
        yield from problems(description, part, document, where)
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if choices and all(list(problems(description, choice, document, where)) for choice in choices):
        yield f"{where} is none of {len(choices)} shapes"
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
    }
    if "type" in schema and not isinstance(document, kinds[schema["type"]]):
        yield f"{where} is a {type(document).__name__}, not {schema['type']}"
    if isinstance(document, dict):
        yield from (f"{where} lacks {name}" for name in schema.get("required", ()) if name not in document)
        for name, value in schema.get("properties", {}).items():
            if name in document:
                yield from problems(description, value, document[name], f"{where}.{name}")
    if isinstance(document, list):
        for index, entry in enumerate(document):
            yield from problems(description, schema.get("items", {}), entry, f"{where}[{index}]")

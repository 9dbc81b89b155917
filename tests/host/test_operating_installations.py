"""`installations`, `links`, `members` and `audit` at a shell, on a host that a test set up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner, Result

from speckitty_connectors import Callback, Connectors, ConnectorsError
from speckitty_connectors.cli import commands
from speckitty_connectors.cli.operator import Operator
from speckitty_connectors.installations.types import Installation
from testbed.desk import ACCOUNT
from testbed.office import Office, open_office, who


@pytest.fixture
def office(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """The host that the command line opens."""
    with open_office(database_url) as opened:

        @contextmanager
        def connectors(_: Operator, *, upgrade: bool = False) -> Iterator[Connectors]:
            yield opened.connectors

        monkeypatch.setattr(Operator, "connectors", connectors)
        yield opened


@pytest.fixture
def made(office: Office) -> Installation:
    """An account that mona connected and is linked under."""
    installation = office.connect(installation="42")
    sent = office.connectors.links.begin(visitor=who(), installation_id=installation.id)
    office.connectors.links.complete(
        visitor=who(),
        callback=Callback(provider="fake", host=office.host, parameters=office.server.approve(sent.url)),
    )
    return installation


def run(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(commands, arguments)


def rows(*arguments: str) -> list[dict[str, Any]]:
    """Run a command that prints JSON; return what it printed."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_installations_are_listed_with_what_to_do_next(office: Office, made: Installation) -> None:
    """Words for people, stable words for programs."""
    office.tell({"change": "suspended", "installation": "42", "account": ACCOUNT})
    (row,) = rows("installations", "list", "w1")
    assert (row["status"], row["reason"], row["next_step"]) == (
        "suspended",
        "suspended_by_provider",
        "resume_at_provider",
    )
    shown = "".join(run("installations", "list", "w1").output.split())
    assert made.id[:8] in shown
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert "isn't connected to anything" in run("installations", "list", "w2").output


def test_the_urls_to_begin_and_to_authorise_again(office: Office, made: Installation) -> None:
    """They are pages of the application, so that the browser session is the member's own."""
    assert run("installations", "begin", "fake").output == "https://saas.example/connect/fake\n"
    again = run("installations", "reauth-url", "w1", made.id).output
    assert again == f"https://saas.example/reauthorise/{made.id}\n"
    for arguments in (("begin", "unknown"), ("reauth-url", "w2", made.id)):
        assert isinstance(run("installations", *arguments).exception, ConnectorsError)


def test_resources_are_listed(office: Office, made: Installation) -> None:
    """Also where no bar can be shown."""
    (row,) = rows("installations", "sync", "w1", made.id)
    counted = {"listed": 3, "pages": 1, "missing": 0, "doubted": 0, "held_back": 0}
    assert row == {**counted, "complete": True, "skipped": ""}
    assert rows("installations", "sync", "w1", made.id, "--resume")[0]["complete"]
    assert office.connectors.audit.find("w1", verb="credential.opened")[0].actor == "operator"


def test_both_sides_are_compared(office: Office, made: Installation) -> None:
    """Where they agree, it says so; a provider that can't list its installations is an error with a remedy."""
    assert "both sides agree" in run("installations", "check", "w1").output
    assert rows("installations", "check", "w1", "--fix") == []
    refused = run("installations", "unconnected", "fake", "--host", office.host)
    assert isinstance(refused.exception, ConnectorsError)


def test_a_round_of_upkeep(office: Office, made: Installation) -> None:
    """What is stale is listed once."""
    assert rows("installations", "upkeep") == [{"installation": made.id, "became": "listed"}]
    assert rows("installations", "upkeep", "--older-than-hours", "1") == []


def test_an_installation_is_removed(office: Office, made: Installation) -> None:
    """With what became of the grant at the provider."""
    (row,) = rows("installations", "remove", "w1", made.id)
    assert row == {"status": "removed", "grant_at_provider": "unsupported"}


def test_links_are_listed_confirmed_and_revoked(office: Office, made: Installation) -> None:
    """By our ids; an identity by the provider's."""
    (mona,) = rows("links", "list", "w1", "--installation", made.id)
    assert (mona["member"], mona["identity"], mona["has_token"]) == ("mona", "octocat", True)
    (hugo,) = rows("links", "confirm", "w1", made.id, "hugo", "--identity", "u2", "--name", "hubot")
    assert (hugo["status"], hugo["identity"], hugo["has_token"]) == ("active", "hubot", False)
    (ended,) = rows("links", "revoke", "w1", hugo["id"], "--reason", "wrong person")
    assert (ended["status"], ended["reason"], ended["grant_at_provider"]) == (
        "revoked",
        "wrong person",
        "nothing_kept",
    )
    assert [row["member"] for row in rows("links", "list", "w1", "--member", "mona")] == ["mona"]


def test_a_member_is_offboarded(office: Office, made: Installation) -> None:
    """The links that ended, and where the installation is handed over."""
    link, installation = rows("members", "offboard", "w1", "mona")
    assert (link["what"], link["became"]) == ("link", "unsupported")
    assert (installation["id"], made.id in installation["became"]) == (made.id, True)
    assert "nobody has no links and no installations" in run("members", "offboard", "w1", "nobody").output


def test_the_audit_is_searched_and_exported(office: Office, made: Installation) -> None:
    """The newest first for people, all of it line by line for programs."""
    found = rows("audit", "list", "w1", "--entity", "installation", "--since", "2020-01-01")
    assert [row["verb"] for row in found] == ["installation.connected"]
    lines = run("audit", "export", "w1").output.splitlines()
    assert [json.loads(line)["verb"] for line in lines] == ["installation.connected", "link.linked"]
    last = json.loads(lines[0])["id"]
    assert len(run("audit", "export", "w1", "--after", last).output.splitlines()) == 1
    assert {row["actor"] for row in rows("audit", "list")} == {"operator"}

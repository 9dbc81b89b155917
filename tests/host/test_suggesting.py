"""`signals` and `suggestions` as an operator uses them, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from speckitty_connectors import ConnectorsError, KeyRing, Resource
from speckitty_connectors.cli import commands
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.store.engine import Store
from testbed.layers import add_installation, add_resources

Run = Callable[..., Result]

LINES = """
{"project_id": "apollo", "remote_url": "https://mona:hunter2@github.com/octo-org/hello", "branches": ["HEAD"]}
{"project_id": "gemini", "repo_slug": "octo-org/menu", "commits": ["a"], "observed_at": "2020-01-01T00:00:00Z"}
"""


@pytest.fixture
def run(database_url: str) -> Run:
    """The command line, in this process."""
    environment = {
        "SPECKITTY_CONNECTORS_DATABASE_URL": database_url,
        "SPECKITTY_CONNECTORS_KEYS": f"test:{KeyRing.new_key().reveal()}",
        "SPECKITTY_CONNECTORS_CONFIG": "",
    }

    def invoke(*arguments: str, given: str = "") -> Result:
        return CliRunner(env=environment).invoke(commands, arguments, input=given, standalone_mode=False)

    return invoke


@pytest.fixture
def installation_id(store: Store) -> str:
    """An installation of GitHub that sees two repositories."""
    installation = add_installation(store, provider="github", host="github.com")
    for number, name in enumerate(("hello", "menu")):
        repository = Resource(kind="repository", id=str(number), key=f"octo-org/{name}")
        add_resources(store, installation, repository)
    return installation.id


def printed(result: Result) -> object:
    """Return the JSON that a command printed."""
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def suggested(run: Run, installation_id: str) -> list[dict[str, str]]:
    """Import the signals, look the inventory over, and return what is suggested."""
    run("signals", "import", "w1", "-", given=LINES)
    run("suggestions", "refresh", "w1", installation_id)
    rows: list[dict[str, str]] = json.loads(run("suggestions", "list", "w1", "--json").stdout)
    return rows


def test_signals_are_imported_line_by_line(run: Run, tmp_path: Path) -> None:
    """The answer says what was stored and what couldn't be used, in words or as JSON; twice is fine."""
    file = tmp_path / "signals.jsonl"
    file.write_text(LINES)
    expected = {"stored": 2, "unusable": {"commit": 1}}
    assert printed(run("signals", "import", "w1", str(file), "--json")) == expected
    said = run("signals", "import", "w1", str(file)).stdout
    assert "2 observations stored" in said
    assert "1 x not used: the commit isn't a full SHA-1 or SHA-256" in said
    assert run("signals", "forget", "w1").stdout == "1 observations forgotten\n"


@pytest.mark.parametrize(
    "line", ["no JSON", "[]", '{"remote_url": "x"}', '{"project_id": "a", "observed_at": "now"}']
)
def test_a_line_that_holds_no_signal_is_named(run: Run, line: str) -> None:
    """The error says which line it was and what a good one looks like, and repeats nothing of it."""
    result = run("signals", "import", "w1", "-", given=f'{{"project_id": "apollo"}}\n{line}\n')
    assert isinstance(result.exception, ConnectorsError)
    assert "line 2" in str(result.exception)


def test_suggestions_are_listed_the_surest_first(run: Run, installation_id: str) -> None:
    """Each row says how sure it is, why, and in which state it is; no credential is shown."""
    rows = suggested(run, installation_id)
    assert [(row["resource"], row["target"], row["confidence"]) for row in rows] == [
        ("repository octo-org/hello", "project:apollo", "high"),
        ("repository octo-org/menu", "project:gemini", "low"),
    ]
    assert rows[0]["evidence"] == "a git remote of apollo is octo-org/hello"
    table = run("suggestions", "list", "w1", "--installation", installation_id, "--limit", "1").stdout
    assert "apollo" in table
    assert "hunter2" not in table


def test_suggestions_are_confirmed_changed_dismissed_and_undone(
    run: Run, store: Store, installation_id: str
) -> None:
    """What the operator says is done, and shown again as it is then."""
    first, second = suggested(run, installation_id)
    states = [
        run("suggestions", "confirm", "w1", first["id"], "--json"),
        run("suggestions", "undo", "w1", first["id"], "--json"),
        run("suggestions", "confirm", "w1", first["id"], "--to", "feed:news", "--json"),
        run("suggestions", "dismiss", "w1", second["id"], "--reason", "a copy", "--json"),
    ]
    assert [row["state"] for state in states for row in json.loads(state.stdout)] == [
        "confirmed",
        "open",
        "dismissed",
        "dismissed",
    ]
    assert [str(each.target) for each in Mappings(store).list(workspace="w1")] == ["feed:news"]
    assert run("suggestions", "list", "w1").stdout == "nothing is suggested\n"


def test_the_opt_in_is_switched_and_shown(run: Run) -> None:
    """Without an option the command only says how it is."""
    said = [run("suggestions", "automatic", "w1", *option).stdout for option in ([], ["--on"], [], ["--off"])]
    assert [line.split(" in ")[0] for line in said] == [
        f"automatic mapping is {state}" for state in ("off", "on", "on", "off")
    ]

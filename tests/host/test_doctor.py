"""`doctor` and `providers --verbose`: what works, what doesn't, and what may be sent to others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from speckitty_connectors import KeyRing
from speckitty_connectors.cli import commands
from speckitty_connectors.cli import doctor as diagnosis
from speckitty_connectors.credentials.tables import key_checks
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.loading import discovery, registry
from speckitty_connectors.loading.discovery import PluginEntryPoint
from speckitty_connectors.store.claims import PARKED
from speckitty_connectors.store.engine import Store
from testbed.desk import ACCOUNT, Script
from testbed.office import KEY, WEBHOOK_SECRET, Office, open_office

FAKE = PluginEntryPoint(provider="fake", value="testbed.desk:Script", distribution="connectors-fake", version="1.2")
NOWHERE = "postgresql+psycopg://us:canary-of-the-password@127.0.0.1:1/nowhere"
Doctor = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[PluginEntryPoint]:
    """The plugins that are installed: the provider ``fake``, until a test changes it."""
    found = [FAKE]
    monkeypatch.setattr(PluginEntryPoint, "load", _loaded)
    monkeypatch.setattr(registry, "discover", lambda: found)
    return found


def _loaded(found: PluginEntryPoint) -> object:
    if found.value == FAKE.value:
        return Script()
    raise LookupError("canary of the plugin")


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A host that has worked for a while."""
    with open_office(database_url) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write a settings file on a database, with these further lines; return its path."""
    monkeypatch.setenv("A_KEY", KEY.reveal())

    def write(database_url: str, *lines: str, key: str = KEY.reveal()) -> str:
        monkeypatch.setenv("A_KEY", key)
        file = tmp_path / "connectors.toml"
        rest = "\n".join(lines)
        file.write_text(f'database_url = "{database_url}"\n{rest}\n[keys]\n2026 = "env:A_KEY"\n')
        return str(file)

    return write


def run(*arguments: str) -> Result:
    """Run the command line."""
    return CliRunner().invoke(commands, arguments)


def findings(result: Result) -> dict[str, dict[str, Any]]:
    """Return what was found, by part."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return {each["part"]: each for each in json.loads(result.stdout)}


@pytest.mark.usefixtures("installed")
def test_a_host_that_works_is_ok(office: Office, settings: Callable[..., str]) -> None:
    """Every part is checked, none has an error, and the exit code is 0."""
    url = office.connectors.settings.database_url
    result = run("--config", settings(url, 'handler = "json:dumps"'), "doctor", "--json")
    assert result.exit_code == 0, result.output
    found = findings(result)
    assert {part: each["health"] for part, each in found.items()} == dict.fromkeys(
        (
            "versions",
            "settings",
            "plugin fake",
            "handler",
            "database",
            "tables",
            "keys",
            "apps",
            "installations",
            "inbox",
            "dispatches",
        ),
        "ok",
    )
    assert found["apps"]["facts"]["registered"] == [{"id": office.app.id, "provider": "fake"}]


@pytest.mark.usefixtures("installed")
def test_an_error_is_told_with_its_remedy(sqlite_url: str, settings: Callable[..., str]) -> None:
    """A line for people names the part and why, another one what to do; the exit code is 1."""
    with open_office(sqlite_url) as office:
        office.connectors.start()  # notes which key it is
    result = run("--config", settings(sqlite_url, key=KeyRing.new_key().reveal()), "doctor")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    (line,) = [number for number, text in enumerate(lines) if text.startswith("error")]
    assert lines[line].startswith("error    keys: the key '2026' isn't the one that this id had before")
    remedy = next(text for text in lines[line:] if "→" in text)
    assert remedy.startswith("         → put the former key back under this id")


@pytest.mark.parametrize(
    ("url", "lines", "part", "code"),
    [
        ("sqlite:///gone.db", (), "database", "configuration"),
        ("nonsense", (), "database", "configuration"),
        (NOWHERE, (), "database", "store_unavailable"),
        ("sqlite://", (), "tables", "configuration"),
        ("sqlite://", ('handler = "no.such:thing"',), "handler", "configuration"),
        ("sqlite://", ('colour = "red"',), "settings", "configuration"),
        ("sqlite://", ("[plugins]", 'block = ["no key"]'), "settings", "configuration"),
    ],
    ids=["no file", "no URL", "no server", "no tables", "no handler", "no such setting", "no provider key"],
)
@pytest.mark.usefixtures("installed")
def test_each_part_has_its_own_error(
    url: str, lines: tuple[str, ...], part: str, code: str, settings: Callable[..., str]
) -> None:
    """What is wrong with one part is found with a stable code, and the others are checked all the same."""
    result = run("--config", settings(url, *lines), "doctor", "--json")
    found = findings(result)
    assert result.exit_code == 1
    assert (found[part]["health"], found[part]["facts"]["code"]) == ("error", code)
    assert found[part]["remedy"]
    assert found["plugin fake"]["health"] == "ok"


def test_a_host_module_may_raise_anything(
    installed: list[PluginEntryPoint], settings: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that can't be imported for a reason of its own is one finding, not the end."""

    def raising(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError("of the host")

    monkeypatch.setattr(diagnosis, "load_object", raising)
    found = findings(run("--config", settings("sqlite://", 'handler = "a:b"'), "doctor", "--json"))
    assert found["handler"]["says"] == "ZeroDivisionError: of the host"
    assert found["database"]["health"] == "ok"


def test_an_app_without_a_plugin_is_an_error(
    office: Office, installed: list[PluginEntryPoint], settings: Callable[..., str]
) -> None:
    """An app whose plugin is gone takes no deliveries, and that is said."""
    installed.clear()
    found = findings(run("--config", settings(office.connectors.settings.database_url), "doctor", "--json"))
    assert found["plugins"]["health"] == "warning"
    assert (found["apps"]["health"], found["apps"]["says"]) == (
        "error",
        "no plugin can be used for the apps of fake",
    )


@pytest.mark.usefixtures("installed")
def test_looking_changes_nothing(store: Store, settings: Callable[..., str], tmp_path: Path) -> None:
    """No check of a key is left, and no database is made where there is none."""
    url = store.url.render_as_string(hide_password=False)
    assert run("--config", settings(url), "doctor").exit_code == 0
    with store.reading() as connection:
        assert connection.execute(select(key_checks)).all() == []
    gone = tmp_path / "gone.db"
    assert run("--config", settings(f"sqlite:///{gone}"), "doctor").exit_code == 1
    assert not gone.exists()


def test_the_bundle_holds_no_word_of_others(
    office: Office, installed: list[PluginEntryPoint], settings: Callable[..., str], tmp_path: Path
) -> None:
    """States, versions, counts and ids: no secret, no body, no name, no text of a plugin or a customer."""
    installed.append(PluginEntryPoint(provider="bad", value="bad:plugin", distribution="acme-bad", version="3"))
    office.connect(installation="42")
    event = office.post(
        {
            "event": "card",
            "account": ACCOUNT,
            "installation": "42",
            "board": {"id": "b1", "key": "canary of a body"},
        }
    )
    with office.connectors.store.transaction() as connection:
        connection.execute(
            update(inbox).where(inbox.c.id == event).values(state=PARKED, last_error="canary of an error")
        )
    bundle = tmp_path / "bundle.json"
    config = settings(office.connectors.settings.database_url)
    shown = run("--config", config, "doctor", "--bundle", str(bundle))
    assert shown.exit_code == 1  # a plugin can't be loaded
    assert "canary of the plugin" in shown.output
    text = bundle.read_text()
    hidden = [
        "canary",
        KEY.reveal(),
        WEBHOOK_SECRET.reveal(),
        "the client secret",
        str(ACCOUNT.get("name")),
        office.host,
    ]
    assert [each for each in hidden if each in text] == []
    parts = {each["part"]: each for each in json.loads(text)["findings"]}
    assert parts["plugin bad"]["facts"]["state"] == "failed"
    assert [(each["count"], each["id"]) for each in parts["inbox"]["facts"]["parked"]] == [(1, event)]
    assert parts["installations"]["facts"]["counts"][0]["count"] == 1


@pytest.mark.usefixtures("installed")
def test_the_bundle_hides_the_database(settings: Callable[..., str], tmp_path: Path) -> None:
    """The bundle has neither address nor password of a database that can't be reached."""
    bundle = tmp_path / "bundle.json"
    run("--config", settings(NOWHERE), "doctor", "--bundle", str(bundle))
    assert not {"canary", "127.0.0.1", "nowhere"} & set(bundle.read_text().split('"'))
    assert "canary" not in bundle.read_text()


def test_verbose_providers_say_what_they_can(installed: list[PluginEntryPoint]) -> None:
    """Each plugin's block has its state and whatever it declares; a broken one has reason and remedy."""
    installed.append(PluginEntryPoint(provider="bad", value="bad:plugin", distribution="acme-bad", version="3"))
    printed = run("providers", "--verbose").output
    good, bad = printed.split("\n\n")
    assert good.startswith("fake · active\n")
    assert "\n  route_event       full\n" in good
    assert "\n  schemes           secret\n" in good
    assert bad.startswith("bad · failed\n")
    assert "remedy" in bad
    as_json = json.loads(run("providers", "-v", "--json").stdout)
    assert as_json[0]["capabilities"]["subscribe"] == "full"


def test_tables_show_brackets_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets are no mark-up, so that a remedy can be copied."""
    found = PluginEntryPoint(provider="acme", value="a:b", distribution="acme[x]", version="1")
    monkeypatch.setattr(discovery, "discover", lambda: [found])
    assert "acme[x]" in run("providers").output

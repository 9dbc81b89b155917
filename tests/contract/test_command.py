"""`speckitty-connectors contract NAME`: a host judges what it installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from contract.hostile.catalogue import SWITCHES
from contract.hostile.switches import FOLDER
from speckitty_connectors import ConfigurationError, contract
from speckitty_connectors.cli import commands
from speckitty_connectors.cli import contract as judging
from speckitty_connectors.contract import fake
from speckitty_connectors.loading.discovery import PluginEntryPoint

Run = Callable[..., Result]
HOSTILE = "contract.hostile"


def published(value: str, *, provider: str = "acme") -> PluginEntryPoint:
    """Return where a plugin would be published."""
    return PluginEntryPoint(provider=provider, value=value, distribution="connectors-acme", version="1.0")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command where some plugins are installed."""

    def start(*arguments: str, installed: tuple[PluginEntryPoint, ...]) -> Result:
        monkeypatch.setattr(judging, "discover", lambda: installed)
        return CliRunner().invoke(commands, ["contract", *arguments])

    return start


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put plugin objects where an entry point can name them."""
    monkeypatch.setattr(fake, "PLUGIN", fake.FakeProvider(), raising=False)
    monkeypatch.setattr(f"{HOSTILE}.boards.PLUGIN", SWITCHES["L06"][0](), raising=False)


@pytest.mark.usefixtures("objects")
def test_a_good_plugin_passes(run: Run) -> None:
    """The table has a line for each rule, the last line says how it ended, and the exit code is 0."""
    result = run(
        "acme",
        "--samples",
        str(Path(contract.__file__).parent / "samples"),
        installed=(published("speckitty_connectors.contract.fake:PLUGIN"),),
    )
    assert result.exit_code == 0, result.output
    assert "V03" in result.output
    assert ": passed contract 1." in result.output.splitlines()[-1]


@pytest.mark.usefixtures("objects")
def test_a_bad_plugin_does_not(run: Run, tmp_path: Path) -> None:
    """What is broken is told with its remedy; JSON and JUnit say the same, and the exit code is 1."""
    report = tmp_path / "report.xml"
    arguments = ("acme", "--samples", str(FOLDER), "--junit", str(report))
    installed = (published(f"{HOSTILE}.boards:PLUGIN"),)
    shown, as_json = run(*arguments, installed=installed), run(*arguments, "--json", installed=installed)
    assert (shown.exit_code, as_json.exit_code) == (1, 1)
    assert "how to fix:  let the session's errors pass, or name what is left out." in shown.output
    document: dict[str, Any] = json.loads(as_json.stdout)
    assert not document["passed"]
    assert {each["rule"] for each in document["findings"] if each["verdict"] == "broken"} == {"L06"}
    suite = ET.parse(report).getroot()[0]
    assert suite.attrib["tests"] == str(len(document["findings"]))
    failed = [case.attrib["classname"] for case in suite if case.find("failure") is not None]
    assert failed == ["L06"] * int(suite.attrib["failures"])


@pytest.mark.usefixtures("objects")
def test_a_plugin_without_samples_fails(run: Run) -> None:
    """Where a plugin ships no samples there is little to judge, and the exit code isn't 0."""
    result = run("acme", installed=(published(f"{HOSTILE}.boards:PLUGIN"),))
    assert result.exit_code == 1
    assert "is shown with 0 recorded deliveries" in result.output


@pytest.mark.parametrize(
    ("installed", "reason"),
    [
        ((), "no plugin for this provider is installed"),
        ((published("a:b"), published("c:d")), "claimed by connectors-acme 1.0 and connectors-acme 1.0"),
        ((published(f"{HOSTILE}.imports.failing:plugin"),), "a library that only its author has"),
    ],
    ids=["none", "two", "broken"],
)
def test_what_cannot_be_judged_is_an_error(run: Run, installed: tuple[PluginEntryPoint, ...], reason: str) -> None:
    """Without exactly one plugin that can be loaded there is an error with a remedy, not an empty report."""
    result = run("acme", installed=installed)
    assert isinstance(result.exception, ConfigurationError)
    assert reason in str(result.exception)
    assert result.exception.remedy

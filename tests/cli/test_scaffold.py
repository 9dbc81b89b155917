"""`speckitty-connectors new`: a package that is green, typed and linted from its first run, wherever it lies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from speckitty_connectors import ConflictError
from speckitty_connectors.cli import commands
from speckitty_connectors.cli import new as scaffolding
from speckitty_connectors.loading.discovery import PluginEntryPoint

NAMES = [
    "acme",
    pytest.param("azure-devops2", marks=pytest.mark.soak),
    pytest.param("the_longest_name_that_a_provider_can_be", marks=pytest.mark.soak),
]

Write = Callable[[str], Path]

BREAKS: Mapping[str, tuple[str, str, str]] = {
    "D01": ("manifest.py", 'title="Acme"', 'title="Acme Connector"'),
    "L05": ("plugin.py", "id=str(board.id)", "id=board.name"),
    "E03": ("plugin.py", 'read_identifier(board.get("id"))', 'str(board["id"])'),
}
"""Rule → how to break it: the file, what stands in it, and what an author might have written."""


def run(*arguments: str, into: Path | None = None) -> Result:
    """Run the command."""
    return CliRunner().invoke(commands, ["new", *arguments, *(("--into", str(into)) if into else ())])


def in_package(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in a package, as its author does after an editable install."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def judge(folder: Path) -> str:
    """Return what pytest says of a package."""
    return in_package(folder, "pytest", "-q", "-p", "no:cacheprovider").stdout


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a package and return its folder."""

    def written(name: str) -> Path:
        result = run(name, into=tmp_path)
        assert result.exit_code == 0, result.output
        (folder,) = tmp_path.iterdir()
        return folder

    return written


@pytest.mark.parametrize("name", NAMES)
def test_a_new_package_keeps_every_rule(write: Write, name: str) -> None:
    """The contract is green from the first run, whatever the name."""
    assert re.search(r"^1\d\d passed, \d+ skipped", judge(write(name)), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_package_is_linted_and_formatted(write: Write, name: str) -> None:
    """Its own linter has nothing to say, whatever the length of the name."""
    folder = write(name)
    for command in (("ruff", "check", "--no-cache"), ("ruff", "format", "--check", "--no-cache")):
        done = in_package(folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_package_is_whole(write: Write) -> None:
    """It brings plugin, manifest, two deliveries, contract file, tests, pages and the settings of a CI."""
    folder = write("acme")
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} >= {
        ".github/workflows/test.yml",
        ".gitignore",
        "CHANGELOG.md",
        "README.md",
        "pyproject.toml",
        "src/connectors_acme/manifest.py",
        "src/connectors_acme/plugin.py",
        "src/connectors_acme/py.typed",
        "src/connectors_acme/samples/deliveries/card-moved.json",
        "src/connectors_acme/samples/deliveries/invoice-paid.json",
        "tests/test_contract.py",
    }


def test_the_name_stands_in_each_place_as_it_must(write: Write) -> None:
    """Key, distribution, module, header and title have each their own form, and nothing is called Acme."""
    folder = write("azure-devops2")
    texts = {file: file.read_text() for file in folder.rglob("*") if file.is_file()}
    assert folder.name == "connectors-azure-devops2"
    assert [
        str(file) for file, text in texts.items() if "acme" in f"{file.relative_to(folder)}{text}".lower()
    ] == []
    manifest = texts[folder / "src/connectors_azure_devops2/manifest.py"]
    for expected in ('"azure_devops2"', '"Azure Devops2"', '"X-Azure-Devops2-Event"', '"azure-devops2.example"'):
        assert expected in manifest


@pytest.mark.soak
@pytest.mark.parametrize("rule", BREAKS)
def test_what_an_author_breaks_is_named(write: Write, rule: str) -> None:
    """A mistake in the new package fails the rule that is about it."""
    folder = write("acme")
    name, right, wrong = BREAKS[rule]
    file = folder / "src" / "connectors_acme" / name
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong))
    assert f"{rule} · connectors_acme.plugin" in judge(folder)


@pytest.mark.parametrize(
    "name",
    ["Acme", "a", "3com", "acme--boards", "acme_", "-acme", "acme.boards", "acmé", "acme/../x", "a" * 41, "acme\n"],
)
def test_a_name_that_does_not_fit_everywhere_is_refused(name: str, tmp_path: Path) -> None:
    """A name that isn't one for Python, for package indexes, for Debian and for a provider is misuse."""
    result = run("--into", str(tmp_path), "--", name)
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "lower-case letters and digits" in " ".join(result.output.split())


@pytest.mark.parametrize("name", ["acme-plugin", "acme_connectors"])
def test_a_name_says_the_service_only(name: str, tmp_path: Path) -> None:
    """What every such package is called already isn't part of the name."""
    result = run(name, into=tmp_path)
    assert (result.exit_code, "leave out" in result.output) == (2, True)


def test_the_key_of_an_installed_plugin_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key that a distribution claims is refused, and the distribution is named."""
    claim = PluginEntryPoint(provider="acme", value="a:b", distribution="acme-boards", version="1.2")
    monkeypatch.setattr(scaffolding, "discover", lambda: (claim,))
    result = run("acme", into=tmp_path)
    assert isinstance(result.exception, ConflictError)
    assert "acme-boards 1.2" in str(result.exception)


@pytest.mark.parametrize(
    ("name", "holder"),
    [("github", "the extra 'github'"), ("fake", "core's own"), ("taken", "the installed module connectors_taken")],
)
def test_names_of_others_are_taken(name: str, holder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plugin that core offers but nobody installed, the reference provider, and a module keep their names."""
    (tmp_path / "connectors_taken.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(scaffolding, "discover", tuple)
    result = run(name, into=tmp_path / "new")
    assert isinstance(result.exception, ConflictError)
    assert holder in str(result.exception)
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(write: Write) -> None:
    """A second run refuses, and what was written stays."""
    folder = write("acme")
    (folder / "README.md").write_text("mine")
    result = run("acme", into=folder.parent)
    assert isinstance(result.exception, ConflictError)
    assert result.exception.remedy
    assert (folder / "README.md").read_text() == "mine"

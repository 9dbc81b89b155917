"""What each distribution of the repository brings, and how core and plugins name each other."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))
ENTRY_POINTS = "speckitty_connectors.v1"


def project_of(folder: Path) -> dict[str, Any]:
    """Return a distribution's settings."""
    return tomllib.loads((folder / "pyproject.toml").read_text())


CORE = project_of(ROOT)
plugin = pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)


@pytest.mark.parametrize("folder", [ROOT, *PLUGINS], ids=lambda folder: folder.name)
def test_a_distribution_is_complete(folder: Path) -> None:
    """Core and every plugin have a licence, a page, tests, types, and a changelog that names the version."""
    version = project_of(folder)["project"]["version"]
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (folder / "README.md").read_text().strip()
    assert f"\n## {version}" in (folder / "CHANGELOG.md").read_text()
    assert list(folder.glob("src/*/py.typed"))
    assert list(folder.glob("tests/**/test_*.py"))


@plugin
def test_a_plugin_says_which_core_it_needs(folder: Path) -> None:
    """A plugin admits this core, and refuses the next one that may break it."""
    requirements = map(Requirement, project_of(folder)["project"]["dependencies"])
    core = next(each for each in requirements if each.name == CORE["project"]["name"])
    version = Version(CORE["project"]["version"])
    assert version in core.specifier
    assert Version(f"{version.major + 1}.0") not in core.specifier


@plugin
def test_core_offers_a_plugin_as_an_extra(folder: Path) -> None:
    """The provider's key is an extra of core that brings this version of the plugin, and `all` has it too."""
    project = project_of(folder)["project"]
    (key,) = project["entry-points"][ENTRY_POINTS]
    extras = CORE["project"]["optional-dependencies"]
    (extra,) = map(Requirement, extras[key])
    assert extra.name == project["name"]
    assert Version(project["version"]) in extra.specifier
    assert key in Requirement(extras["all"][0]).extras


@plugin
def test_a_plugin_is_tested_alone_as_strictly_as_with_core(folder: Path) -> None:
    """A run of the plugin's folder alone treats warnings and markers as a run at the root does."""
    alone = project_of(folder)["tool"]["pytest"]["ini_options"]
    together = CORE["tool"]["pytest"]["ini_options"]
    assert {name: alone[name] for name in ("addopts", "filterwarnings", "xfail_strict")} == {
        name: together[name] for name in ("addopts", "filterwarnings", "xfail_strict")
    }


@plugin
def test_the_layers_are_held_for_a_plugin(folder: Path) -> None:
    """The import rules watch every plugin's package."""
    (package,) = (file.parent.name for file in folder.glob("src/*/py.typed"))
    linter = CORE["tool"]["importlinter"]
    core_free_of, public_only, no_connections = linter["contracts"][1:]
    assert package in linter["root_packages"]
    assert package in core_free_of["forbidden_modules"]
    assert package in public_only["source_modules"]
    assert package in no_connections["source_modules"]


def test_the_constraints_pin_what_we_name() -> None:
    """Whatever core, a plugin or a group names is pinned to a version that its range admits."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {
        canonicalize_name(name): version
        for name, _, version in (line.partition("==") for line in lines if "==" in line)
    }
    named = [*CORE["dependency-groups"].values(), *CORE["project"]["optional-dependencies"].values()]
    named += [project_of(folder)["project"]["dependencies"] for folder in (ROOT, *PLUGINS)]
    requirements = [Requirement(each) for group in named for each in group if isinstance(each, str)]
    outside = [each for each in requirements if not each.name.startswith(CORE["project"]["name"])]
    unpinned = [str(each) for each in outside if pins.get(canonicalize_name(each.name), "0") not in each.specifier]
    assert unpinned == []

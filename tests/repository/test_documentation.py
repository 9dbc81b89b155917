"""What is documented, and that links of the documentation lead somewhere."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
import pytest

from speckitty_connectors import AppSettings, PluginSettings, Registry, Settings, WorkerSettings, hookspecs
from speckitty_connectors.cli import commands

HOOKS = [value for value in vars(hookspecs).values() if hasattr(value, f"{hookspecs.PROJECT_NAME}_spec")]
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
ROW = re.compile(r"^\| `([^`]+)`", re.MULTILINE)
OPTION = re.compile(r"--[a-z][a-z-]+")


def leaves(command: click.Command = commands, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something, by its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from leaves(below, f"{path} {name}".strip())
    else:
        yield path, command


COMMANDS = dict(leaves())


def test_the_contract_has_six_hooks() -> None:
    """The hooks are the five that every manifest names, and the one that only some providers need."""
    assert {hook.__name__ for hook in HOOKS} == {
        "install",
        "link_user",
        "list_resources",
        "suggest_mappings",
        "route_event",
        "subscribe",
    }


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_a_hook_shows_how_to_implement_it(hook: object) -> None:
    """Each hook's docstring has an example of an implementation, which runs with the other examples."""
    example = [line for line in (inspect.getdoc(hook) or "").splitlines() if line.startswith((">>>", "..."))]
    assert any("@hookimpl" in line for line in example)


def test_links_between_pages_lead_somewhere(root: Path, texts: dict[str, str]) -> None:
    """A relative link in a page names a file that is there."""
    pages = {name: text for name, text in texts.items() if name.endswith(".md")}
    links = [(name, target) for name, text in pages.items() for target in LINK.findall(text)]
    assert [
        f"{name}: {target}" for name, target in links if not (root / name).parent.joinpath(target).exists()
    ] == []


def test_the_rooms_are_drawn_as_the_linter_holds_them(root: Path, texts: dict[str, str]) -> None:
    """The architecture lists the rooms in the order of the layers that the linter holds."""
    table = texts["docs/architecture.md"].split("## Rooms")[1].split("##")[0]
    drawn = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert [row.replace("`", "") for row in drawn] == [layer.replace(" : ", ", ") for layer in layers]


def test_each_setting_has_its_row(texts: dict[str, str]) -> None:
    """The page about configuration has a row for each setting, and none for what isn't one."""
    tables = texts["docs/configuration.md"].split("## The environment")[0]
    named = {
        name for row in re.findall(r"^\| (`[^|]+) \|", tables, re.MULTILINE) for name in re.findall("`(.+?)`", row)
    }
    settings = {each.name for each in attrs.fields(Settings)} - {"plugins", "workers"}
    plugins = {f"plugins.{each.name}" for each in attrs.fields(PluginSettings)}
    workers = {"workers.…", *(f"workers.{each.name}" for each in attrs.fields(WorkerSettings))}
    assert named == settings | plugins | workers | {each.name for each in attrs.fields(AppSettings)}


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_has_its_row(path: str, texts: dict[str, str]) -> None:
    """The page about the command line has one row for a command, with its arguments and its own options."""
    page = texts["docs/command-line.md"]
    [row] = [usage for usage in ROW.findall(page) if f"{usage} ".startswith(f"{path} ")]
    conditions = page[page.index("`CONDITIONS` are") :].split("\n\n")[0]
    documented = set(OPTION.findall(row.replace("CONDITIONS", conditions)))
    options = [each for each in COMMANDS[path].params if isinstance(each, click.Option)]
    spellings = [{*each.opts, *each.secondary_opts} for each in options if each.name != "actor"]
    assert [spelling for spelling in spellings if not spelling & documented] == []
    assert documented - set().union(*spellings) <= {"--actor"}
    arguments = [each.human_readable_name for each in COMMANDS[path].params if isinstance(each, click.Argument)]
    assert [name for name in arguments if name.strip("[].") not in row] == []


def test_no_row_is_about_a_command_that_is_not_there(texts: dict[str, str]) -> None:
    """Each row of the page about the command line is about a command that is there."""
    usages = ROW.findall(texts["docs/command-line.md"].split("## Exit codes")[0])
    assert len(usages) == len(COMMANDS)


def test_each_dependency_has_its_reason(root: Path, texts: dict[str, str]) -> None:
    """The page about dependencies names each dependency, each extra and each tool."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"].values()
    wanted = [
        *project["project"]["dependencies"],
        *(name for required in extras.values() for name in required),
        *(name for group in groups for name in group if isinstance(name, str)),
    ]
    names = {re.split(r"[\[<>=~ ]", name.lower())[0] for name in wanted if not name.startswith("speckitty")}
    page = texts["docs/dependencies.md"]
    assert sorted(names - set(re.findall(r"[\w-]+", page.lower()))) == []
    assert sorted(extra for extra in extras if f"`{extra}`" not in page) == []


def test_each_page_is_on_the_list_of_pages(texts: dict[str, str]) -> None:
    """The README leads to each page but those of single rules, which have a list of their own."""
    pages = {name for name in texts if re.fullmatch(r"docs/([a-z-]+|contract/[a-z]+|contract/README)\.md", name)}
    assert sorted(pages - set(LINK.findall(texts["README.md"]))) == []


@pytest.mark.parametrize("provider", ["github", "gitlab", "jira", "linear", "slack"])
def test_the_table_of_manifests_says_what_they_say(provider: str, texts: dict[str, str]) -> None:
    """The page about the contract names a plugin's settings, kinds, fields and policy as its manifest does."""
    manifest = Registry().provider(provider).manifest
    page = texts["docs/plugin-api.md"].split("### What each manifest says")[1].split("###")[0]
    titles, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in page.strip().splitlines())
    cells = {row[0]: row[titles.index(manifest.title)] for row in rows}
    policy = attrs.fields(manifest.policy) if manifest.policy else ()
    said = {
        "`aliases`": [alias for kind in manifest.resource_kinds for alias in kind.aliases],
        "`hosts.aliases`": manifest.hosts.aliases,
        "`app_settings`": [*manifest.app_settings, *manifest.optional_settings],
        "`kept_fields`": manifest.install_oauth.kept_fields if manifest.install_oauth else (),
        "`policy`": [each.name for each in policy],
        "`capabilities`": [name for name, support in manifest.capabilities.items() if support.level == "partial"],
    }
    for label, words in said.items():
        [cell] = [cell for name, cell in cells.items() if label in name]
        assert set(words) <= set(re.findall(r"`([^`]+)`", cell)), label
        assert words or "`" not in cell, label

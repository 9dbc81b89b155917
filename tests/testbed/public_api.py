"""The public names, door by door, and what each is in one sentence.

``make reference`` writes `docs/api.md` and the stub of the door for hosts from them; tests/repository/test_doors.py
holds that both are up to date and that no door lacks a name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from attrs import frozen

import speckitty_connectors

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "src" / "speckitty_connectors"
PAGE: Final = ROOT / "docs" / "api.md"
STUB: Final = PACKAGE / "__init__.pyi"

DOORS: Final = {
    "speckitty_connectors": "What hosts use, and what they are given.",
    "speckitty_connectors.plugin": "What provider plugins are written with.",
    "speckitty_connectors.standin": "What stand-ins of providers are written with, for demonstrations and tests.",
    "speckitty_connectors.contract": "What plugins, databases and hosts are tested with (extra `contract`).",
}
"""Each door, and what it is for."""

WRITTEN: Final = "Written by `make reference`"


@frozen(kw_only=True)
class PublicName:
    """A name of a door.

    Attributes:
        name: the name.
        module: where it is defined, below the package: ``mappings.types``.
    """

    name: str
    module: str

    @property
    def sentence(self) -> str:
        """What it is, as its docstring begins."""
        return described(self.module).get(self.name, "")

    @property
    def topic(self) -> str:
        """What it has to do with, in the words of its room's docstring, or of its module's where it has no room."""
        room = self.module.partition(".")[0]
        by_room = (PACKAGE / room).is_dir() and room not in {"providers", "standin", "contract"}
        return described(f"{room}.__init__" if by_room else self.module)[""]


def names_of(door: str) -> list[PublicName]:
    """Return the names of a door, as type checkers find them there."""
    path = PACKAGE.joinpath(*door.split(".")[1:])
    files = (path / "__init__.pyi", path / "__init__.py", path.with_suffix(".py"))
    folder = ".".join(door.split(".")[1:]) + "." if path.is_dir() and path != PACKAGE else ""
    tree = _parsed(next(filter(Path.is_file, files)))
    imports = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    return [
        PublicName(name=alias.name, module=f"{folder if each.level == 1 else ''}{each.module}")
        for each in imports
        for alias in each.names
        if each.level and each.module
    ]


@cache
def described(module: str) -> dict[str, str]:
    """Return the first sentence of each docstring of a module, by name; its own under the empty name."""
    tree = _parsed(PACKAGE.joinpath(*module.split(".")).with_suffix(".py"))
    texts = {"": ast.get_docstring(tree) or ""}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            texts[node.name] = ast.get_docstring(node) or ""
    for node, after in pairwise(tree.body):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            texts |= {each.id: str(after.value.value) for each in targets if isinstance(each, ast.Name)}
    return {name: " ".join(text.split("\n\n")[0].split()) for name, text in texts.items()}


def classes() -> Iterator[tuple[str, str]]:
    """Yield each class of the package that isn't private, and each alias of a type, with its file."""
    for file in PACKAGE.rglob("*.py"):
        tree = _parsed(file)
        aliases = [
            node for node in tree.body if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call)
        ]
        names = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        names += [each.id for node in aliases for each in node.targets if isinstance(each, ast.Name)]
        found = [name for name in names if name[0].isupper() and not name.isupper()]
        yield from ((name, file.relative_to(PACKAGE).as_posix()) for name in found)


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def page() -> str:
    """Return the reference: each name of each door with its sentence, by topic."""
    lines = [
        "# Public names",
        "",
        "Everything that may be imported, and from where. Whatever isn't here is private: it may change with any",
        f"release. {WRITTEN}, from the docstrings; `help(...)` says more.",
    ]
    for door, purpose in DOORS.items():
        names = names_of(door)
        lines += ["", f"## `{door}`", "", purpose]
        for topic in dict.fromkeys(each.topic for each in names):
            lines += ["", f"### {topic.rstrip('.')}", "", "| name | is |", "|---|---|"]
            of_topic = sorted((each for each in names if each.topic == topic), key=lambda each: each.name)
            lines += [f"| `{each.name}` | {each.sentence.replace('|', '&#124;')} |" for each in of_topic]
    return "\n".join(lines) + "\n"


def stub() -> str:
    """Return what type checkers read of the door for hosts."""
    modules: dict[str, str] = vars(speckitty_connectors)["_MODULES"]
    found = sorted((module, name) for name, module in modules.items())
    lines = [f"from {module} import {name} as {name}" for module, name in found]
    return f"# {WRITTEN}, from the table in __init__.py.\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")

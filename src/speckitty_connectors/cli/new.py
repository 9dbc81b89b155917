"""`new`: a package of a provider plugin that keeps every rule of the contract from its first run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Final

import click
from attrs import frozen

from ..contract.fake import MANIFEST as FAKE
from ..errors import ConflictError
from ..loading.discovery import GROUP, discover
from ..providers.manifest import KEY
from .operator import CORE

TEMPLATE: Final = Path(__file__).with_name("template")
"""The folder that holds the plugin of a service called Acme, which is copied under other names."""

LEFT_BEHIND: Final = re.compile(r"__pycache__|\..*_cache")
"""What Python and tools put beside the template's files."""

NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
"""What is a name for everybody: of a module (with underscores), normalised on package indexes (PEP 503), and of a
package of Debian (Policy, "5.6.1 Source": lower case, digits, minus, at least two characters)."""

SAYS_NOTHING: Final = re.compile(r"connectors?|plugin")
"""Words that are part of every distribution's name already, and on no button."""


@frozen(kw_only=True)
class PluginNames:
    """How a plugin is called in each of the places where it has a name.

    >>> names = PluginNames(words=("acme", "boards"))
    >>> names.key, names.distribution, names.module, names.title
    ('acme_boards', 'connectors-acme-boards', 'connectors_acme_boards', 'Acme Boards')
    """

    words: tuple[str, ...]

    @property
    def key(self) -> str:
        """The provider key."""
        return "_".join(self.words)

    @property
    def distribution(self) -> str:
        """What is installed."""
        return "-".join(("connectors", *self.words))

    @property
    def module(self) -> str:
        """What is imported."""
        return "_".join(("connectors", *self.words))

    @property
    def title(self) -> str:
        """What people read; the author writes it as the provider does."""
        return " ".join(word.capitalize() for word in self.words)

    def replacements(self) -> Mapping[str, str]:
        """Return each word of the template → its replacement, the longer words first."""
        return {
            "connectors-acme": self.distribution,
            "connectors_acme": self.module,
            "acme.example": f"{'-'.join(self.words)}.example",
            "X-Acme": f"X-{self.title.replace(' ', '-')}",
            "Acme": self.title,
            "acme": self.key,
        }


def read_name(_context: click.Context, _parameter: click.Parameter, text: str) -> PluginNames:
    """Return the names that a plugin of this name has."""
    key = text.replace("-", "_")
    if not NAME.fullmatch(text) or not KEY.fullmatch(key):
        raise click.BadParameter(
            f"{text!r:.60} can't be a module, a provider and a package of Debian at once: write 2 to 40 lower-case "
            "letters and digits, a letter first, with one - between words"
        )
    if superfluous := SAYS_NOTHING.search(key):
        raise click.BadParameter(f"leave out {superfluous[0]!r}: name the service, for example 'acme'")
    return PluginNames(words=tuple(key.split("_")))


@click.command()
@click.argument("name", callback=read_name)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where to create the package's folder; else here.",
)
def new(*, name: PluginNames, into: Path) -> None:
    """Write a new provider plugin, as a package of its own.

    The package of the provider NAME can be installed, checked and published.
    """
    _refuse_taken(name)
    folder = into / name.distribution
    if folder.exists():
        raise ConflictError("the folder already exists", subject=str(folder), remedy="move it, or use --into")
    for path, text in rendered(name):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    click.echo(f"{name.distribution} is in {folder} · next:")
    click.echo(
        f'  cd {folder}\n  pip install --editable ".[test]"\n  pytest\n  speckitty-connectors contract {name.key}'
    )


def rendered(names: PluginNames) -> Iterator[tuple[PurePath, str]]:
    """Yield the path and the text of each file of the package."""
    replacements = names.replacements()
    words = re.compile("|".join(map(re.escape, replacements)))

    def renamed(text: str) -> str:
        return words.sub(lambda found: replacements[found[0]], text)

    for file in sorted(TEMPLATE.rglob("*")):
        path = file.relative_to(TEMPLATE)
        if file.is_file() and not any(map(LEFT_BEHIND.fullmatch, path.parts)):
            yield PurePath(*map(renamed, path.parts)), renamed(file.read_text(encoding="utf-8"))


def _refuse_taken(names: PluginNames) -> None:
    """Refuse a name by which a host would find two plugins, or Python two modules."""
    holders = [found.label for found in discover() if found.provider == names.key and found.group == GROUP]
    if names.key == FAKE.provider:
        holders.append("core's own reference provider")
    if f"{CORE}-{names.key}" in _offered():
        holders.append(f"the extra {names.key!r} of {CORE}")
    if not holders and find_spec(names.module) is not None:
        holders.append(f"the installed module {names.module}")
    if holders:
        raise ConflictError(
            f"the name is taken by {' and '.join(holders)}",
            subject=f"provider {names.key!r}",
            remedy="choose another one; a host refuses two plugins of one provider",
        )


def _offered() -> frozenset[str]:
    """Return the distributions that core's extras install: each published plugin is one, named ``…-KEY``."""
    required = metadata.requires(CORE) or ()
    return frozenset(found[0] for found in (re.match(r"[\w-]+", each) for each in required) if found)

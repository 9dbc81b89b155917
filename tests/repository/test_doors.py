"""The three doors: complete, described, light, and the only way in."""

from __future__ import annotations

import builtins
import collections.abc
import inspect
import re
import subprocess
import sys
import types
import typing
from collections import defaultdict
from collections.abc import Collection, Container, Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

import pytest

from speckitty_connectors import Capability, Connectors, KeyRing, Manifest, Provider, Settings, hookspecs
from testbed import public_api
from testbed.public_api import DOORS, names_of

HOSTS, PLUGINS, STANDINS, CONTRACT = DOORS

PLUGINS_OWN = {PLUGINS, STANDINS}
RAISES = re.compile(r"^ +(\w+):", re.MULTILINE)
IMPORT = re.compile(r"^(?:>>> )?\s*(?:from|import) (speckitty_connectors(?:\.\w+)*)", re.MULTILINE)


def at(door: str) -> dict[str, object]:
    """Return what a door offers."""
    return {each.name: getattr(import_module(door), each.name) for each in names_of(door)}


class Names(dict[str, object]):
    """The names of a module, and every class of the package: some are imported for type checkers only."""

    files: ClassVar = dict(public_api.classes())

    def __missing__(self, name: str) -> object:
        if name not in self.files:
            standard = (builtins, types, typing, collections.abc)
            return next(getattr(module, name) for module in standard if hasattr(module, name))
        module = self.files[name].removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        return getattr(import_module(f"speckitty_connectors.{module}"), name)


def names_in(value: Any) -> Names:
    """Return the names that the module of a class or a function knows."""
    return Names(vars(sys.modules[value.__module__]))


def hints(value: Any) -> dict[str, object]:
    """Return the types that a function or a class names."""
    return get_type_hints(value, localns=names_in(value))


def ours(hint: object) -> Iterator[type]:
    """Yield the classes of the package that are part of a type."""
    if isinstance(hint, type) and hint.__module__.startswith("speckitty_connectors"):
        yield hint
    for part in (*get_args(hint), *([hint.__bound__] if isinstance(hint, TypeVar) else [])):
        for each in part if isinstance(part, list) else [part]:
            yield from ours(each)


def functions(kind: type) -> Iterator[tuple[str, types.FunctionType]]:
    """Yield the methods and properties of a class, and its constructor."""
    for name, member in inspect.getmembers_static(kind):
        function = (
            getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
        )
        of_us = inspect.isfunction(function) and function.__module__.startswith("speckitty_connectors")
        if of_us and (name == "__init__" or not name.startswith("_")):
            yield name, function


def raised(function: Any) -> Iterator[type]:
    """Yield the errors of ours in the section ``Raises:`` of a docstring; each name has to be one of an error."""
    section = (inspect.getdoc(function) or "").partition("Raises:\n")[2].partition("\n\n")[0]
    for name in RAISES.findall(section):
        error: Any = names_in(function)[name]
        assert issubclass(error, BaseException), name
        yield from ours(error)


def reached(value: object, *, constructor: bool) -> Iterator[tuple[str, type]]:
    """Yield each class that the signature or the ``Raises:`` of a public name tells of, and where it does."""
    named: list[tuple[str, object]] = []
    if isinstance(value, type):
        bases = [base for base in value.__mro__[1:] if base.__module__.startswith("speckitty_connectors")]
        yield from (("base", base) for base in bases if not base.__name__.startswith("_"))
        fields = hints(value).items()
        yield from ((name, each) for name, hint in fields if not name.startswith("_") for each in ours(hint))
        yield from (("raises", error) for error in raised(value))
        named = [(name, each) for name, each in functions(value) if constructor or name != "__init__"]
    elif inspect.isfunction(value):
        named = [(value.__name__, value)]
    else:
        yield from (("alias", each) for each in ours(value))
    for name, function in named:
        yield from ((f"{name}({what})", each) for what, hint in hints(function).items() for each in ours(hint))
        yield from ((f"{name} raises", error) for error in raised(function))


def missing(
    offered: Mapping[str, object],
    named: Mapping[str, object],
    *,
    whole: Container[object] = (),
    made: Collection[object] = (),
) -> list[str]:
    """Return what the names of a door, and all that they lead to, tell of without its being at the door.

    Args:
        offered: what is at the door.
        named: the names to begin with.
        whole: what is not looked into.
        made: what core makes itself, so that its constructor is nobody's business.
    """
    made = [*made, *(each for value in named.values() for _, each in reached(value, constructor=False))]
    todo, seen, found = list(named.items()), [], set()
    while todo:
        name, value = todo.pop()
        if value in seen or value in whole:
            continue
        seen.append(value)
        for where, each in reached(value, constructor=value not in made):
            if offered.get(each.__name__) is each:
                todo.append((each.__name__, each))
            else:
                found.add(f"{each.__module__}.{each.__name__} of {name}.{where}")
    return sorted(found)


def test_hosts_find_every_type_they_are_given() -> None:
    """Every type and error that a host's objects tell of, from `Connectors` on, is at the door for hosts.

    A manifest and a provider are given whole: what they are made of is at the door for plugin authors.
    """
    with Connectors(Settings(database_url="sqlite://", keys={"k": KeyRing.new_key()})) as connectors:
        services = [type(value) for name, value in vars(connectors).items() if not name.startswith("_")]
    offered = at(HOSTS)
    assert [kind for kind in services if offered.get(kind.__name__) is not kind] == []
    assert missing(offered, offered, whole=(Manifest, Provider), made=services) == []


def test_plugin_authors_find_every_type_they_are_given() -> None:
    """Every type and error that hooks, manifests and helpers tell of is at the door for plugin authors."""
    offered = at(PLUGINS)
    hooks = {capability.value: getattr(hookspecs, capability) for capability in Capability}
    assert missing(offered, {**offered, **hooks}) == []


def test_stand_ins_find_every_type_they_are_given() -> None:
    """Every type that a stand-in is made of is at its door."""
    offered = at(STANDINS)
    assert missing(offered, offered) == []


def test_what_is_public_is_described() -> None:
    """Every public name has a sentence of its own, and the page and the stub are written from the code of today."""
    bare = [f"{door}.{each.name}" for door in DOORS for each in names_of(door) if not each.sentence]
    assert bare == []
    assert public_api.PAGE.read_text() == public_api.page(), "run: make reference"
    assert public_api.STUB.read_text() == public_api.stub(), "run: make reference"


def test_no_two_classes_share_a_name() -> None:
    """A name means one class, or one alias of types, wherever in the package it is read."""
    files = defaultdict(list)
    for name, file in public_api.classes():
        files[name].append(file)
    assert {name for name, found in files.items() if len(found) > 1} == set()


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        (HOSTS, {"attrs", "cattrs", "pluggy", "requests", "sqlalchemy"}),
        (PLUGINS, {"alembic", "cryptography", "requests", "sqlalchemy"}),
        (STANDINS, {"alembic", "cryptography", "requests", "sqlalchemy"}),
    ],
)
def test_a_door_is_light(imported: str, absent: set[str]) -> None:
    """Importing a door brings in nothing that another door is for."""
    code = f"import sys, {imported}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert absent & set(loaded) == set()


def test_what_moved_is_still_found() -> None:
    """A plugin that imports from the package itself, as all did once, finds each name where it was."""
    package = import_module(HOSTS)
    for door in (PLUGINS, STANDINS):
        assert [name for name, value in at(door).items() if getattr(package, name) is not value] == []
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        package.Nothing  # noqa: B018 - asking is the question


def test_plugins_and_pages_come_in_by_the_doors(texts: dict[str, str]) -> None:
    """Plugins, the template, the pages and the examples import from nothing but doors."""
    own = re.compile(r"plugins/\w+/src/|src/speckitty_connectors/cli/template/src/")
    shown = re.compile(r"plugins/|src/speckitty_connectors/cli/template/|docs/|README\.md|examples/")
    strays = [
        f"{file}: {module}"
        for file, text in texts.items()
        if shown.match(file)
        for module in IMPORT.findall(text)
        if module not in (PLUGINS_OWN if own.match(file) else DOORS)
    ]
    assert strays == []

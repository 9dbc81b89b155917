"""What several commands take: ids, targets, resources, selectors, policies, and who acts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import click

from ..mappings.types import Direction, Selector
from ..policy.types import Level, PolicyScope
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target

Command = Callable[..., Any]


def target_named(text: str) -> Target:
    """Return the target that is written ``kind:id``."""
    kind, _, identifier = text.partition(":")
    if not kind or not identifier:
        raise click.BadParameter(f"{text!r} isn't written kind:id, for example project:apollo")
    return Target(kind=kind, id=identifier)


def resource_named(text: str) -> ResourceReference:
    """Return the resource that is written ``kind:id``, or ``kind:key=key`` to go by a key of today or of before."""
    kind, _, identifier = text.partition(":")
    if not kind or not identifier:
        raise click.BadParameter(f"{text!r} isn't written kind:id or kind:key=key")
    key = identifier.removeprefix("key=") if identifier.startswith("key=") else ""
    return ResourceReference(kind=kind, id="" if key else identifier, key=key)


def scope_named(workspace: str, text: str) -> PolicyScope:
    """Return the scope that is written ``provider``, ``provider/project:id`` or ``provider/installation:id``."""
    provider, _, narrower = text.partition("/")
    level, _, identifier = narrower.partition(":")
    if narrower and (level not in {Level.PROJECT, Level.INSTALLATION} or not identifier):
        raise click.BadParameter(
            f"{text!r} isn't written provider, provider/project:id or provider/installation:id"
        )
    named = {f"{level}_id": identifier} if narrower else {}
    return PolicyScope(workspace=workspace, provider=provider, **named)


def value_written(text: str) -> Any:
    """Return a value as it was meant: JSON where it is some, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def in_workspace(*things: str) -> Callable[[Command], Command]:
    """Add the argument WORKSPACE, and one for the id of each thing: MAPPING, as `mapping_id`, for ``mapping``."""

    def add(command: Command) -> Command:
        for thing in reversed(things):
            command = click.argument(f"{thing}_id", metavar=thing.upper())(command)
        return click.argument("workspace")(command)

    return add


target = click.argument("target", type=target_named, metavar="TARGET")
"""The argument that names a target."""

actor = click.option("--actor", default="operator", show_default=True, help="Who does it: operator, or member:ID.")
"""The option of every command that changes something."""

reason = click.option("--reason", default="", help="Why, for people who ask later.")
"""The option of what may be explained."""


def chosen(
    option: str, values: Iterable[str], words: str, *, default: str | None = None
) -> Callable[[Command], Command]:
    """Add an option that is one of these values."""
    choice = click.Choice([*values], case_sensitive=False)
    return click.option(option, type=choice, default=default, show_default=True, help=words)


direction = chosen("--direction", Direction, "Which way things flow.")
"""The option of what a mapping lets through."""


def selecting(command: Command) -> Command:
    """Add the options that narrow a mapping; the command gets them as `selector`, None where none is given."""

    @wraps(command)
    def run(*, paths: tuple[str, ...], branches: tuple[str, ...], kinds: tuple[str, ...], **given: object) -> Any:
        selector = Selector(paths=paths, branches=branches, kinds=kinds) if paths or branches or kinds else None
        return command(selector=selector, **given)

    for option, name, wanted in (
        ("--path", "paths", "folder, file or glob"),
        ("--branch", "branches", "branch or glob"),
        ("--kind", "kinds", "kind or kind.action"),
    ):
        run = click.option(option, name, multiple=True, help=f"Only events of this {wanted}; repeatable.")(run)
    return run

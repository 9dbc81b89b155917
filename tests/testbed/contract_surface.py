"""The shape of the contract as a document: rules, hooks, what hooks are given and answer, and the manifest.

``make surface`` writes it down under its version, so that a change of the shape is seen, and comes with a new minor
version (docs/contract/growth.md).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from speckitty_connectors import Capability, hookspecs, plugin, standin
from speckitty_connectors.contract.stores import store_rules
from speckitty_connectors.contract.suite import CONTRACT_VERSION, all_rules

OPTIONAL = ", optional"
"""Behind what needn't be named."""

PROPERTY = "property"

GIVEN = frozenset(
    {"App", "Conversation", "Delivery", "Grant", "Listing", "Subscription", "SuggestionRequest", "Signal"}
)
"""What only core makes, so that it may grow."""

OF_PLUGINS = ("speckitty_connectors.providers.", "speckitty_connectors.standin.")
"""Where everything is that plugins are given and answer."""


def surface() -> dict[str, Any]:
    """Return the contract's version, its rules, the signatures of its hooks, and the members of their types."""
    public = {**vars(plugin), **vars(standin)}
    ours = {
        name: kind
        for name, kind in public.items()
        if inspect.isclass(kind) and kind.__module__.startswith(OF_PLUGINS)
    }
    return {
        "version": CONTRACT_VERSION,
        "hooks": {hook.value: _signature(getattr(hookspecs, hook)) for hook in Capability},
        "rules": {rule.id: rule.since for rule in (*all_rules().values(), *store_rules().values())},
        "types": {name: shape for name, kind in sorted(ours.items()) if (shape := _shape(kind))},
    }


def losses(older: Mapping[str, Any], newer: Mapping[str, Any]) -> list[str]:
    """Return what a plugin written for the older shape would miss in the newer one."""
    missed = [f"hook {name}" for name, text in older["hooks"].items() if newer["hooks"].get(name) != text]
    for name, members in older["types"].items():
        now = newer["types"].get(name, {})
        missed += [f"{name}.{member}" for member, text in members.items() if now.get(member) != text]
        added = {member: text for member, text in now.items() if member not in members}
        missed += [f"{name}.{member} is required" for member, text in added.items() if _is_required(name, text)]
    return missed


def _is_required(name: str, text: str) -> bool:
    """Say whether whoever makes a value has to name the member; core alone makes what plugins are given."""
    is_field = not text.startswith("(") and text != PROPERTY
    return is_field and name not in GIVEN and not text.endswith(OPTIONAL)


def _signature(function: object) -> str:
    """Return a signature as it is written."""
    if not callable(function):
        return ""
    written = inspect.signature(function)
    named = {name: each for name, each in written.parameters.items() if name != "self"}
    parameters = ", ".join(f"{name}: {each.annotation}" for name, each in named.items())
    return f"({parameters}) -> {written.return_annotation}"


def _shape(kind: type) -> dict[str, str]:
    """Return the members of a type: fields with their types, values of an enumeration, methods of a protocol."""
    if attrs.has(kind):
        return _fields(kind)
    if issubclass(kind, Enum):
        return {member.name: f"{member.value}{OPTIONAL}" for member in kind}
    if getattr(kind, "_is_protocol", False):
        return {
            name: _signature(member) if inspect.isfunction(member) else PROPERTY
            for name, member in vars(kind).items()
            if not name.startswith("_")
        }
    return {}


def _fields(kind: type[attrs.AttrsInstance]) -> dict[str, str]:
    # What is written in the class, because libraries that read a type replace what attrs knows of it.
    written = {
        name: text for base in reversed(kind.__mro__) for name, text in inspect.get_annotations(base).items()
    }
    return {
        field.name: f"{written[field.name]}{'' if field.default is attrs.NOTHING else OPTIONAL}"
        for field in attrs.fields(kind)
    }


def write(folder: Path) -> Path:
    """Write the shape into a folder, under its version; return the file."""
    shape = surface()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{shape['version']}.json"
    file.write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")
    return file


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[1] / "contract" / "surfaces")

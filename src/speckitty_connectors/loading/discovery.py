"""Finds installed plugins by reading distribution metadata; no code of a plugin runs here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from types import ModuleType

from attrs import frozen

from ..providers.manifest import CONTRACT_MAJOR

GROUP_PREFIX = "speckitty_connectors.v"
"""What the entry-point groups of all major versions of the contract start with."""

GROUP = f"{GROUP_PREFIX}{CONTRACT_MAJOR}"
"""The entry-point group of the major version that this core speaks."""

ENTRY_POINTS_FILE = "entry_points.txt"
"""Source: Python packaging's entry points specification, "File format"."""


@frozen(kw_only=True)
class PluginEntryPoint:
    """Where a plugin was found: enough to name it, to judge it and, later, to load it.

    Attributes:
        provider: name of the entry point, which is the provider key; empty where it couldn't be read.
        value: the plugin's module, or ``module:object`` where the plugin is an object in it.
        group: entry-point group, whose name carries the contract's major version.
        distribution: name of the distribution, or empty where its metadata doesn't say.
        version: version of the distribution, or empty.
        problem: why the metadata can't be used, or empty.

    >>> found = PluginEntryPoint(provider="acme", value="acme.plugin", distribution="acme-boards", version="1.2")
    >>> found.label, found.group
    ('acme-boards 1.2', 'speckitty_connectors.v1')
    """

    provider: str
    value: str
    group: str = GROUP
    distribution: str = ""
    version: str = ""
    problem: str = ""

    @property
    def label(self) -> str:
        """Name and version of the distribution (or what else names the plugin), for a sentence."""
        return f"{self.distribution or self.value or 'an unnamed distribution'} {self.version}".strip()

    @property
    def major(self) -> str:
        """Major version of the contract that the plugin is built for."""
        return self.group.removeprefix(GROUP_PREFIX)

    def load(self) -> object:
        """Import the plugin's module and return it, or the object in it; raises whatever the plugin raises."""
        return metadata.EntryPoint(self.provider, self.value, self.group).load()


def address_of(plugin: object) -> str:
    """Return where a plugin is defined: its module, or ``module:Class`` of the object that it is.

    >>> import json
    >>> address_of(json), address_of(json.JSONEncoder())
    ('json', 'json.encoder:JSONEncoder')
    """
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    return f"{type(plugin).__module__}:{type(plugin).__qualname__}"


def discover(distributions: Iterable[metadata.Distribution] | None = None) -> tuple[PluginEntryPoint, ...]:
    """Return the plugins that distributions on ``sys.path`` offer, of every major version, by provider key.

    A distribution that is found twice (an editable install beside its wheel, say) counts once. A distribution
    that supports several majors is listed with ours only.
    """
    found: dict[tuple[str, ...], PluginEntryPoint] = {}
    for distribution in metadata.distributions() if distributions is None else distributions:
        for entry_point in _read(distribution):
            name = _normalised(entry_point.distribution)
            found.setdefault((name, entry_point.group, entry_point.provider, entry_point.value), entry_point)
    ours = {(name, provider) for name, group, provider, _ in found if group == GROUP}
    kept = [
        entry_point
        for (name, group, provider, _), entry_point in found.items()
        if group == GROUP or (name, provider) not in ours
    ]
    return tuple(sorted(kept, key=lambda entry_point: (entry_point.provider, entry_point.distribution)))


def _read(distribution: metadata.Distribution) -> Iterator[PluginEntryPoint]:
    try:
        text = distribution.read_text(ENTRY_POINTS_FILE) or ""
    except (OSError, ValueError):
        return  # unreadable, so there is nothing that says it concerns us
    if GROUP_PREFIX not in text:
        return
    name, version = _name_and_version(distribution)
    try:
        entry_points = list(distribution.entry_points)
    except Exception as error:  # noqa: BLE001 - the parser has no error type of its own for a malformed line
        problem = f"its {ENTRY_POINTS_FILE} can't be read ({error})"
        yield PluginEntryPoint(provider="", value="", distribution=name, version=version, problem=problem)
        return
    for entry_point in entry_points:
        if entry_point.group.startswith(GROUP_PREFIX):
            yield PluginEntryPoint(
                provider=entry_point.name,
                value=entry_point.value,
                group=entry_point.group,
                distribution=name,
                version=version,
            )


def _name_and_version(distribution: metadata.Distribution) -> tuple[str, str]:
    try:
        fields = distribution.metadata
        return str(fields["Name"] or ""), str(fields["Version"] or "")
    except Exception:  # noqa: BLE001 - Python versions differ in how a missing METADATA fails
        return "", ""


def _normalised(name: str) -> str:
    """Return a distribution's name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()

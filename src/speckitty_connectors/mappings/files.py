"""Mappings as a TOML or JSON file that a team can keep in git."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import cattrs
from attrs import Attribute, field, frozen, validators
from cattrs.gen import make_dict_unstructure_fn

from ..errors import ConfigurationError
from ..providers.suggestions import Target
from .types import Direction, Origin, Selector

VERSION = 1
"""The version of the form of these files."""


class FileForm(StrEnum):
    """How a file is written."""

    TOML = "toml"
    JSON = "json"


def _is_target(_: object, __: Attribute[str], value: str) -> None:
    kind, _, identifier = value.partition(":")
    if not kind or not identifier:
        raise ValueError("a target is written as kind:id, for example project:apollo")


@frozen(kw_only=True)
class FileMapping:
    """One mapping as a file tells of it.

    Attributes:
        provider: provider key.
        kind: kind of the resource, or an alias of it.
        target: ``kind:id``, for example ``project:apollo``.
        host: host of the installation; empty where the workspace has the provider on one host only.
        account: the provider's id of the account, or its name; empty where the workspace has one account only.
        id: the provider's immutable id of the resource; empty to go by the key.
        key: its display key: a label where there is an id.
        kinds: see `Selector.kinds`.
        branches: see `Selector.branches`.
        paths: see `Selector.paths`.
        direction: which way things flow.
        paused: whether people paused it.
        origin: where it comes from.

    >>> str(FileMapping(provider="acme", kind="board", id="b1", target="project:apollo").goes_to)
    'project:apollo'
    """

    provider: str = field(validator=validators.min_len(1))
    kind: str = field(validator=validators.min_len(1))
    target: str = field(validator=_is_target)
    host: str = ""
    account: str = ""
    id: str = ""
    key: str = ""
    kinds: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    direction: Direction = Direction.BOTH
    paused: bool = False
    origin: Origin = Origin.MANUAL

    def __attrs_post_init__(self) -> None:
        if not self.id and not self.key:
            raise ValueError("a resource needs an id, or a key to find it by")

    @property
    def goes_to(self) -> Target:
        """The target."""
        kind, _, identifier = self.target.partition(":")
        return Target(kind=kind, id=identifier)

    @property
    def selector(self) -> Selector:
        """Which events are wanted."""
        return Selector(kinds=self.kinds, branches=self.branches, paths=self.paths)


@frozen(kw_only=True)
class MappingFile:
    """The mappings of a workspace as a file.

    >>> print(MappingFile(mappings=(
    ...     FileMapping(provider="acme", kind="board", id="b1", target="project:apollo", paths=("web",)),
    ... )).write(FileForm.TOML))
    version = 1
    <BLANKLINE>
    [[mappings]]
    provider = "acme"
    kind = "board"
    target = "project:apollo"
    id = "b1"
    paths = ["web"]
    <BLANKLINE>
    """

    mappings: tuple[FileMapping, ...] = ()
    version: int = field(default=VERSION, validator=validators.in_([VERSION]))

    @classmethod
    def read(cls, text: str, form: FileForm) -> MappingFile:
        """Read a file.

        Raises:
            ConfigurationError: it isn't well formed, or something in it is missing, unknown or of a wrong type;
                the error names each place.
        """
        try:
            document = tomllib.loads(text) if form is FileForm.TOML else json.loads(text)
            return _converter.structure(document, cls)
        except cattrs.BaseValidationError as error:
            faults = "; ".join(cattrs.transform_error(error, path="file", format_exception=_describe))
        except ValueError as error:  # of the TOML and of the JSON parser alike
            faults = str(error)
        raise ConfigurationError(
            f"the mappings can't be read: {faults}", subject="mapping file", remedy="mend these places"
        )

    def write(self, form: FileForm) -> str:
        """Return the file's text; what is as it would be anyway is left out."""
        document = _converter.unstructure(self)
        if form is FileForm.JSON:
            return json.dumps({"version": self.version, **document}, ensure_ascii=False, indent=2) + "\n"
        tables = [list(_toml_lines(mapping)) for mapping in document.get("mappings", [])]
        return "\n".join([f"version = {self.version}", *(line for table in tables for line in table), ""])


def _toml_lines(mapping: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table; text, lists and booleans are written in TOML as in JSON, save for DEL."""
    yield from ("", "[[mappings]]")
    for name, value in mapping.items():
        yield f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")


def _describe(error: BaseException, kind: type | None) -> str:
    return str(error) if type(error) is ValueError else cattrs.v.format_exception(error, kind)


def _file_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(bool, _boolean)
    for kind in (FileMapping, MappingFile):
        converter.register_unstructure_hook(
            kind, make_dict_unstructure_fn(kind, converter, _cattrs_omit_if_default=True)
        )
    return converter


def _text(value: object, kind: type[str]) -> str:
    """Return a text, or the word of an enumeration that it is, and no number that was made one."""
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return kind(value)


def _boolean(value: object, _: type[bool]) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false was expected")
    return value


_converter = _file_converter()

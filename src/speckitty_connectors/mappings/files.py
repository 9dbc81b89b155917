"""Brings the mappings of a workspace in line with a file: shows the difference, checks it, applies it whole."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import cattrs
from attrs import Attribute, evolve, field, frozen, validators
from cattrs.gen import make_dict_unstructure_fn
from sqlalchemy import Connection

from ..errors import ConfigurationError, ConnectorsError
from ..installations import repository as installations
from ..installations.types import Installation
from ..providers.codec import strict_converter
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..store.engine import Store
from . import repository
from .changes import remove, save, with_effective_state
from .lookup import resolve
from .service import Mappings, find_overlaps
from .types import Direction, MappingOrigin, MappingState, ResourceMapping, Selector

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
    """One mapping as a file has it.

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
    origin: MappingOrigin = MappingOrigin.MANUAL

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
            f"the mappings can't be read: {faults}", subject="mapping file", remedy="fix these places"
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
    converter = strict_converter(forbid_extra_keys=True)
    for kind in (FileMapping, MappingFile):
        converter.register_unstructure_hook(
            kind, make_dict_unstructure_fn(kind, converter, _cattrs_omit_if_default=True)
        )
    return converter


_converter = _file_converter()


@frozen(kw_only=True)
class FileFinding:
    """Something about one place of a file.

    Attributes:
        path: the place, for example ``mappings[3]``.
        text: what is the matter, for a person.
        prevents: whether the file can't be applied because of it; else it is a warning.
    """

    path: str
    text: str
    prevents: bool

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{'error' if self.prevents else 'warning'}: {self.path}: {self.text}"


@frozen(kw_only=True)
class FileDifference:
    """What a file would change.

    Attributes:
        added: mappings that aren't there yet.
        changed: mappings as they are → as they would be.
        removed: mappings that the file doesn't name, where it was to be complete.
        unchanged: how many are as the file says.
        findings: what is the matter with the file.
    """

    added: tuple[ResourceMapping, ...] = ()
    changed: tuple[tuple[ResourceMapping, ResourceMapping], ...] = ()
    removed: tuple[ResourceMapping, ...] = ()
    unchanged: int = 0
    findings: tuple[FileFinding, ...] = ()

    @property
    def errors(self) -> tuple[FileFinding, ...]:
        """The findings because of which it can't be applied."""
        return tuple(finding for finding in self.findings if finding.prevents)

    def lines(self) -> list[str]:
        """Return the difference in words: ``+`` added, ``~`` changed, ``-`` removed."""
        return [
            *(f"+ {_named(mapping)}" for mapping in self.added),
            *(f"~ {_named(before)}: {_changes(before, after)}" for before, after in self.changed),
            *(f"- {_named(mapping)}" for mapping in self.removed),
            *map(str, self.findings),
        ]


class MappingFiles:
    """Exports the mappings of workspaces, and brings them in line with a file."""

    def __init__(self, store: Store, mappings: Mappings) -> None:
        self._store = store
        self._mappings = mappings

    def export(self, *, workspace: str) -> MappingFile:
        """Return the workspace's mappings as a file, oldest first."""
        with self._store.reading() as connection:
            known = _installations(connection, workspace)
            found = repository.list_all(connection, workspace=workspace)
        return MappingFile(mappings=tuple(_as_file(mapping, known[mapping.installation_id]) for mapping in found))

    def compare(self, *, workspace: str, file: MappingFile, complete: bool = False) -> FileDifference:
        """Return what a file would change, and what is the matter with it; change nothing.

        Where the file is `complete`, mappings that it doesn't name would be removed.
        """
        with self._store.reading() as connection:
            return self._compare(connection, workspace, file, "dry run", complete=complete)

    def apply(self, *, workspace: str, file: MappingFile, actor: str, complete: bool = False) -> FileDifference:
        """Make the mappings what a file says, all of them or none; return what was changed.

        Where the file is `complete`, mappings that it doesn't name are removed.

        Raises:
            ConfigurationError: something in the file can't be applied; the error names each place.
        """
        with self._store.transaction() as connection:
            difference = self._compare(connection, workspace, file, actor, complete=complete)
            if difference.errors:
                raise ConfigurationError(
                    "; ".join(f"{finding.path}: {finding.text}" for finding in difference.errors),
                    subject=f"mapping file for workspace {workspace}",
                    remedy="fix these places; nothing was changed",
                )
            now = self._store.now()
            for mapping in difference.removed:
                remove(connection, mapping, "removed", actor=actor, at=now, reason="not in the imported file")
            for before, after in difference.changed:
                save(connection, before, after, "updated", actor=actor, at=now, reason="imported")
            for mapping in difference.added:
                save(connection, None, mapping, "created", actor=actor, at=now, reason="imported")
        return difference

    def _compare(
        self, connection: Connection, workspace: str, file: MappingFile, actor: str, *, complete: bool
    ) -> FileDifference:
        there = {_identity(each): each for each in repository.list_all(connection, workspace=workspace)}
        wanted: dict[_Identity, ResourceMapping] = {}
        findings: list[FileFinding] = []
        owners = _installations(connection, workspace)
        for number, each in enumerate(file.mappings):
            path = f"mappings[{number}]"
            try:
                mapping = self._wanted(connection, each, owners, there, actor)
                if _identity(mapping) in wanted:
                    raise ConfigurationError("this resource and target are in the file already")
            except (ConnectorsError, ValueError) as error:
                text = getattr(error, "what", str(error))
                findings.append(FileFinding(path=path, text=text, prevents=True))
                continue
            wanted[_identity(mapping)] = mapping
            findings += self._warnings(connection, path, each, mapping, owners[mapping.installation_id])
        changed = [(there[key], after) for key, after in wanted.items() if key in there and there[key] != after]
        return FileDifference(
            added=tuple(mapping for key, mapping in wanted.items() if key not in there),
            changed=tuple(changed),
            removed=tuple(mapping for key, mapping in there.items() if complete and key not in wanted),
            unchanged=len(wanted.keys() & there.keys()) - len(changed),
            findings=tuple(findings),
        )

    def _wanted(
        self,
        connection: Connection,
        each: FileMapping,
        owners: Mapping[str, Installation],
        there: Mapping[_Identity, ResourceMapping],
        actor: str,
    ) -> ResourceMapping:
        """Return the mapping that a file's entry means: the one that is there, as it would be, or a new one."""
        self._mappings.check_target(each.goes_to)
        installation = _installation(each, owners)
        reference = ResourceReference(kind=each.kind, id=each.id, key=each.key)
        known = resolve(connection, installation, self._mappings.named(each.provider, reference))
        new = ResourceMapping.of_known(
            known, actor=actor, at=self._store.now(), target=each.goes_to, origin=each.origin
        )
        mapping = evolve(there.get(_identity(new), new), selector=each.selector, direction=each.direction)
        if each.paused and mapping.state is MappingState.PAUSED:
            return mapping
        if each.paused:
            return evolve(mapping, state=MappingState.PAUSED, state_reason="paused in the imported file")
        return with_effective_state(connection, mapping)

    def _warnings(
        self,
        connection: Connection,
        path: str,
        each: FileMapping,
        mapping: ResourceMapping,
        installation: Installation,
    ) -> Iterator[FileFinding]:
        manifest = self._mappings.manifest(installation.provider)
        if not each.id:
            yield FileFinding(path=path, text="keys change; write the resource's id too", prevents=False)
        kinds = {kind.name: kind for kind in manifest.resource_kinds} if manifest else {}
        kind = kinds.get(mapping.resource_kind)
        if kind is not None and not kind.git and (each.branches or each.paths):
            text = f"a {kind.name} has no branches and no paths, so no event would be wanted"
            yield FileFinding(path=path, text=text, prevents=False)
        if mapping.state is MappingState.ORPHANED:
            yield FileFinding(path=path, text=mapping.state_reason, prevents=False)
        for overlap in find_overlaps(connection, mapping, manifest):
            yield FileFinding(path=path, text=overlap.text, prevents=False)


_Identity = tuple[str, str, str, str]
"""Our id of the installation, our id of the resource, kind and id of the target."""


def _identity(mapping: ResourceMapping) -> _Identity:
    return mapping.installation_id, mapping.resource_id, mapping.target.kind, mapping.target.id


def _installations(connection: Connection, workspace: str) -> dict[str, Installation]:
    return {each.id: each for each in installations.list_all(connection, workspace=workspace)}


def _installation(each: FileMapping, owners: Mapping[str, Installation]) -> Installation:
    """Return the one installation that an entry means.

    Raises:
        ConfigurationError: none, or several could be meant.
    """
    found = [
        installation
        for installation in owners.values()
        if installation.provider == each.provider
        and each.host in {"", installation.host}
        and each.account in {"", installation.account_id, installation.account_name}
    ]
    if len(found) != 1:
        named = " ".join(filter(None, (each.provider, each.host, each.account)))
        raise ConfigurationError(f"{len(found) or 'no'} installations of the workspace could be meant by {named!r}")
    return found[0]


def _as_file(mapping: ResourceMapping, installation: Installation) -> FileMapping:
    return FileMapping(
        provider=installation.provider,
        host=installation.host,
        account=installation.account_id,
        kind=mapping.resource_kind,
        id=mapping.resource_external_id,
        key=mapping.resource_key,
        target=str(mapping.target),
        kinds=mapping.selector.kinds,
        branches=mapping.selector.branches,
        paths=mapping.selector.paths,
        direction=mapping.direction,
        paused=mapping.state is MappingState.PAUSED,
        origin=mapping.origin,
    )


def _named(mapping: ResourceMapping) -> str:
    label = mapping.resource_key or mapping.resource_external_id
    return f"{mapping.resource_kind} {label} → {mapping.target}"


def _changes(before: ResourceMapping, after: ResourceMapping) -> str:
    names = ("selector", "direction", "state")
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    return ", ".join(f"{name} becomes {getattr(after, name)}" for name in changed)

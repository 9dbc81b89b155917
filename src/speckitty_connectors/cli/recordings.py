"""Recorded deliveries on disk: a JSON file each, with an `index.json` beside them for the headers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from attrs import field, frozen

INDEX = "index.json"
"""A list of documents with `file` and, where the provider sends any, `headers`."""


@frozen(kw_only=True)
class Recording:
    """One recorded delivery.

    Attributes:
        name: file name.
        body: the bytes to send.
        headers: the provider's headers for it, without id and signature.
    """

    name: str
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)


def read_recordings(path: Path) -> Iterator[Recording]:
    """Yield the recordings of a folder, or the one of a file, in the order of their names.

    Raises:
        click.UsageError: there is none, or the index can't be read.
    """
    folder = path if path.is_dir() else path.parent
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    headers = _headers(folder)
    files = [file for file in files if file.name != INDEX]
    if not files:
        raise click.UsageError(f"no recorded delivery in {path}; name a .json file or a folder of them")
    for file in files:
        yield Recording(name=file.name, body=file.read_bytes(), headers=headers.get(file.name, {}))


def _headers(folder: Path) -> dict[str, dict[str, str]]:
    index = folder / INDEX
    if not index.is_file():
        return {}
    try:
        return {entry["file"]: dict(entry.get("headers") or {}) for entry in json.loads(index.read_bytes())}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise click.UsageError(f"{index} isn't a list of documents with 'file' and 'headers': {error}") from None

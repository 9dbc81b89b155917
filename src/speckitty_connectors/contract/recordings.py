"""Recorded deliveries on disk: a file each, with an `index.json` beside them for headers and expectations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ..errors import ConfigurationError

INDEX = "index.json"
"""A list of documents with `file` and, where there are any, `headers`, `expect`, `own`, `private` and
`again`."""


@frozen(kw_only=True)
class Recording:
    """One recorded delivery.

    Attributes:
        name: file name.
        body: the bytes to send.
        headers: the provider's headers for it, without id and signature.
        expect: what the outcome is to hold at least, as a document; empty where nothing is said.
        own: whether the app itself did what is delivered.
        private: whether it happened in a private conversation of people.
        again: file name of an earlier delivery, whose state is back with this one; or empty.
    """

    name: str
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)
    expect: Mapping[str, Any] = field(factory=dict)
    own: bool = False
    private: bool = False
    again: str = ""


def read_recordings(path: Path) -> Iterator[Recording]:
    """Yield the recordings of a folder, or the one of a file, in the order of their names.

    In a folder these are the ``.json`` files, and whatever else the index names.

    Raises:
        ConfigurationError: there is none, or the index can't be read.
    """
    folder = path if path.is_dir() else path.parent
    index = _index(folder)
    files = {*path.glob("*.json"), *(folder / name for name in index)} if path.is_dir() else {path}
    files.discard(folder / INDEX)
    if not files:
        raise ConfigurationError(
            "there is no recorded delivery",
            subject=str(path),
            remedy="name a .json file or a folder of them",
        )
    for file in sorted(files):
        yield _recording(file, index.get(file.name, {}))


def _recording(file: Path, entry: Mapping[str, Any]) -> Recording:
    try:
        body = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"a recorded delivery can't be read ({type(error).__name__})",
            subject=str(file),
            remedy=f"put the file there, or take it out of {INDEX}",
        ) from None
    return Recording(
        name=file.name,
        body=body,
        headers=dict(entry.get("headers") or {}),
        expect=dict(entry.get("expect") or {}),
        own=entry.get("own") is True,
        private=entry.get("private") is True,
        again=str(entry.get("again") or ""),
    )


def _index(folder: Path) -> dict[str, Mapping[str, Any]]:
    index = folder / INDEX
    if not index.is_file():
        return {}
    try:
        return {entry["file"]: entry for entry in json.loads(index.read_bytes())}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the index can't be read ({type(error).__name__})",
            subject=str(index),
            remedy="make it a list of documents with 'file' and, where needed, 'headers' and 'expect'",
        ) from None

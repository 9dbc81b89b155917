"""Recorded exchanges on disk: one file for each call of a hook, with what the API is asked and what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen
from cattrs import BaseValidationError, Converter, transform_error

from ..errors import ConfigurationError
from ..providers.manifest import Capability

CALLING = (Capability.INSTALL, Capability.LINK_USER, Capability.LIST_RESOURCES, Capability.SUBSCRIBE)
"""The hooks that may call out, so that they are shown by exchanges."""


@frozen(kw_only=True)
class AskedRequest:
    """A request that a hook is expected to send.

    Attributes:
        path: path below the API's root, for example ``/user``.
        method: the HTTP method.
        query: the whole query, or None where it doesn't matter.
        body: what the JSON body holds at least, or None where it doesn't matter.
    """

    path: str
    method: str = "GET"
    query: Mapping[str, str] | None = None
    body: Any = None


@frozen(kw_only=True)
class GivenAnswer:
    """What the API answers.

    Attributes:
        status: the HTTP status.
        headers: headers; ``{api}`` and ``{web}`` in them stand for the base URLs.
        body: the JSON document; ``{api}`` and ``{web}`` in its texts stand for the base URLs.
    """

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: Any = None


@frozen(kw_only=True)
class Exchange:
    """One request and its answer."""

    request: AskedRequest
    answer: GivenAnswer


@frozen(kw_only=True)
class Scenario:
    """One call of a hook.

    Attributes:
        name: file name; it says what the scenario shows.
        hook: the hook that is called.
        given: what it is called with; see docs/plugin-authors.md.
        exchanges: what passes between it and the API, in order.
        expect: what its answer holds at least.
    """

    name: str
    hook: Capability
    given: Mapping[str, Any] = field(factory=dict)
    exchanges: tuple[Exchange, ...] = ()
    expect: Mapping[str, Any] = field(factory=dict)


_converter = Converter(forbid_extra_keys=True)


def read_scenarios(folder: Path) -> Iterator[Scenario]:
    """Yield the scenarios of a folder in the order of their names.

    Raises:
        ConfigurationError: a file isn't a scenario; the text names the place in it.
    """
    for file in sorted(folder.glob("*.json")):
        try:
            yield _converter.structure({**json.loads(file.read_bytes()), "name": file.name}, Scenario)
        except (BaseValidationError, ValueError, TypeError) as error:
            places = "; ".join(transform_error(error)) if isinstance(error, BaseValidationError) else str(error)
            raise ConfigurationError(
                f"the file isn't a recorded exchange: {places}",
                subject=str(file),
                remedy="write it as 'Recorded exchanges' in docs/plugin-authors.md says",
            ) from None

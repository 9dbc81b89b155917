"""What a part of the host is found to be.

A finding has two sides. What it says is for whoever sits at the terminal, and may repeat what a plugin or a driver
said. Its facts are for others too: words of ours, versions, counts and ids, and nothing that anybody else wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from ..errors import ConnectorsError
from ..providers.registry import REASON_LIMIT

UNEXPECTED: Final = "unexpected"
"""The code of what isn't an error of this library."""


class Health(StrEnum):
    """How a part is; only an ill one keeps the host from working."""

    WELL = "well"
    NOTED = "noted"
    ILL = "ill"


@frozen(kw_only=True)
class Finding:
    """What was found of one part.

    Attributes:
        part: what was looked at, for example ``plugin github``.
        health: how it is.
        says: why, for the person at the terminal.
        remedy: what to do about it, or empty.
        facts: what may be handed on.
    """

    part: str
    health: Health
    says: str
    remedy: str = ""
    facts: Mapping[str, object] = field(factory=dict)

    @classmethod
    def of(cls, part: str, error: ConnectorsError, **facts: object) -> Finding:
        """Return the finding of a part that answers with an error."""
        says = " · ".join(filter(None, (error.what, error.subject)))
        return cls(
            part=part, health=Health.ILL, says=says, remedy=error.remedy, facts={"code": error.code, **facts}
        )


def looked(look: Callable[..., Finding], part: str, *given: object) -> Finding:
    """Return what is found of a part, whatever it raises."""
    try:
        return look(part, *given)
    except ConnectorsError as error:
        return Finding.of(part, error)
    except Exception as error:  # noqa: BLE001 - a host's module, a key service or a driver may raise anything
        return Finding(
            part=part,
            health=Health.ILL,
            says=f"{type(error).__name__}: {' '.join(str(error).split())[:REASON_LIMIT]}",
            remedy="mend what the text names",
            facts={"code": UNEXPECTED},
        )

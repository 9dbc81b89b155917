"""What plugin authors test against: the contract suite, and reference providers that need no network.

The suite needs pytest and responses (the extra ``contract``); they are imported when it is first named, so that
`contract.fake` works without.

>>> from speckitty_connectors.contract import Waiver
>>> Waiver.__name__
'Waiver'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .stores import StoreContract
    from .suite import ConnectorContract, PinnedContractWarning
    from .verdicts import Waiver

_PLACES = {
    "ConnectorContract": ".suite",
    "PinnedContractWarning": ".suite",
    "StoreContract": ".stores",
    "Waiver": ".verdicts",
}
"""Names that are imported when they are first asked for, and where they are."""


def __getattr__(name: str) -> object:
    """Import the suite when it is named (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name], __name__), name)


__all__ = ["ConnectorContract", "PinnedContractWarning", "StoreContract", "Waiver"]

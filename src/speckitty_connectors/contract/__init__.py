"""What plugins and hosts are tested with: the contract suites, and a provider in memory.

The suites need pytest and responses (the extra ``contract``); each name is imported when it is first used, so that
`FakeProvider` works without.

>>> from speckitty_connectors.contract import Waiver
>>> Waiver.__name__
'Waiver'
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fake import FakeProvider
    from .stores import StoreContract
    from .suite import ConnectorContract, PinnedContractWarning
    from .verdicts import Waiver

_MODULES = {
    "ConnectorContract": ".suite",
    "FakeProvider": ".fake",
    "PinnedContractWarning": ".suite",
    "StoreContract": ".stores",
    "Waiver": ".verdicts",
}

__all__ = ["ConnectorContract", "FakeProvider", "PinnedContractWarning", "StoreContract", "Waiver"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first named (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)

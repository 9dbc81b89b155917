"""What plugins and hosts are tested with: the contract suites, a provider in memory, and core's side of the wire.

The suites need pytest and responses (the extra ``contract``); each name is imported when it is first used, so that
`FakeProvider` works without.

>>> from speckitty_connectors.contract import Waiver
>>> Waiver.__name__
'Waiver'
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..http.session import Transport, TransportSession
    from ..http.throttling import throttled_seconds
    from ..inbox.responses import VerificationRefusedError
    from ..inbox.signatures import verify
    from .fake import FakeProvider
    from .offline import connect_offline
    from .stores import StoreContract
    from .suite import ConnectorContract, PinnedContractWarning
    from .verdicts import Waiver

_MODULES = {
    "ConnectorContract": ".suite",
    "FakeProvider": ".fake",
    "PinnedContractWarning": ".suite",
    "StoreContract": ".stores",
    "Transport": "..http.session",
    "TransportSession": "..http.session",
    "VerificationRefusedError": "..inbox.responses",
    "Waiver": ".verdicts",
    "connect_offline": ".offline",
    "throttled_seconds": "..http.throttling",
    "verify": "..inbox.signatures",
}

__all__ = [
    "ConnectorContract",
    "FakeProvider",
    "PinnedContractWarning",
    "StoreContract",
    "Transport",
    "TransportSession",
    "VerificationRefusedError",
    "Waiver",
    "connect_offline",
    "throttled_seconds",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first named (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)

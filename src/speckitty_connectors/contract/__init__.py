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
    from ..http.session import Transport as Transport
    from ..http.session import TransportSession as TransportSession
    from ..http.throttling import throttled_seconds as throttled_seconds
    from ..inbox.responses import VerificationRefusedError as VerificationRefusedError
    from ..inbox.signatures import verify as verify
    from .fake import FakeProvider as FakeProvider
    from .offline import connect_offline as connect_offline
    from .stores import StoreContract as StoreContract
    from .suite import ConnectorContract as ConnectorContract
    from .suite import PinnedContractWarning as PinnedContractWarning
    from .verdicts import Waiver as Waiver

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


def __getattr__(name: str) -> object:
    """Import a public name when it is first named (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)

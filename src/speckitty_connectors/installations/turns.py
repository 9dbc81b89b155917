"""What passes between core and a plugin in one step of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from ..credentials.apps import RegisteredApp
from ..credentials.oauth import TokenAnswer
from ..providers.accounts import Account
from ..providers.conversations import InstallAnswer, LinkAnswer
from .attempts import Attempt

CallbackUrl = Callable[[str, str], str]
"""Returns the URL to which a provider (its key) sends browsers back from one of its hosts.

It is another one for each provider and host, so that a code can't be taken to the wrong token end point.
"""

CORE_PARAMETERS: Final = frozenset({"state", "code", "iss"})
"""What comes back for core alone; a plugin never sees it."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

VERIFIER: Final = "verifier"
"""Name of the sealed value that holds the PKCE verifier."""


@frozen(kw_only=True)
class Turn:
    """What a plugin answered, and what core holds while it acts on it.

    Attributes:
        attempt: what it belongs to.
        app: the app in whose name it is made.
        state: the state that the plugin saw; stored only if its answer uses it.
        answer: what the plugin answered.
        tokens: the tokens of the grant, where there is one.
        choice: the ids of the accounts that were picked, where some were.
        expected: the account that the plugin was asked about, or None where any may come.
    """

    attempt: Attempt
    app: RegisteredApp
    state: str
    answer: InstallAnswer | LinkAnswer
    tokens: TokenAnswer | None
    choice: tuple[str, ...] = ()
    expected: Account | None = None

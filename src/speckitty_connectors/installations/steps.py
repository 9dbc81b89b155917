"""What the host does next in a conversation: send the browser, ask, wait, or be done."""

from __future__ import annotations

from attrs import frozen

from ..providers.accounts import Account
from .types import Installation


@frozen(kw_only=True)
class SendBrowser:
    """Redirect the browser there; it comes back to the callback URL.

    >>> SendBrowser(url="https://acme.example/oauth/authorize?state=…").url
    'https://acme.example/oauth/authorize?state=…'
    """

    url: str


@frozen(kw_only=True)
class PickAccount:
    """Ask the person which of these accounts to connect, then call `Onboarding.choose`.

    Attributes:
        state: one-time value for `choose`; good for ten minutes, in this browser only.
        accounts: what there is to choose from.
        several: whether more than one may be picked.

    >>> PickAccount(state="s", accounts=(Account(id="1", name="site"),)).several
    False
    """

    state: str
    accounts: tuple[Account, ...]
    several: bool = False


@frozen(kw_only=True)
class Waiting:
    """An owner on the provider's side must agree first; nothing is left to do in this browser.

    Attributes:
        installation: what waits, with status `pending_approval`.
        reason: one sentence for the person.
    """

    installation: Installation
    reason: str


@frozen(kw_only=True)
class Done:
    """The accounts are connected.

    Attributes:
        installations: one for each account.

    >>> Done(installations=()).installations
    ()
    """

    installations: tuple[Installation, ...]


Step = SendBrowser | PickAccount | Waiting | Done
"""What `Onboarding` answers."""

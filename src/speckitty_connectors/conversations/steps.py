"""What comes next in a conversation: send the browser, or ask which account."""

from __future__ import annotations

from attrs import frozen

from ..providers.accounts import Account


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

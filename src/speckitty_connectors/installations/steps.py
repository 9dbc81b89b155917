"""What the host does next in a conversation: send the browser, ask, wait, or be done."""

from __future__ import annotations

from attrs import frozen

from ..conversations.steps import PickAccount, SendBrowser
from .types import Installation


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

"""Who is at the browser: the host knows, core asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen
from attrs.validators import min_len

Environ = dict[str, Any]
"""A WSGI environment (PEP 3333)."""


@frozen(kw_only=True)
class Visitor:
    """A signed-in member of a workspace, in one browser.

    Attributes:
        workspace: the workspace they act for.
        member: who they are, as the host knows them.
        session: a value that only this browser has, for example the session cookie's; a callback that comes
            through another browser is refused.

    >>> Visitor(workspace="w1", member="mona", session="c2Vzc2lvbg").member
    'mona'
    """

    workspace: str = field(validator=min_len(1))
    member: str = field(validator=min_len(1))
    session: str = field(validator=min_len(1))


Identify = Callable[[Environ], Visitor | None]
"""Returns who is at the browser, or None where nobody is signed in."""


def nobody(environ: Environ) -> Visitor | None:  # noqa: ARG001 - the signature of `Identify`
    """Return None: an application that takes webhooks only."""
    return None

"""Who is at the browser, and what it brought back from a provider."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from ..credentials.secret import Secret
from ..errors import ConfigurationError


@frozen(kw_only=True)
class Visitor:
    """A signed-in member of a workspace, in one browser.

    Attributes:
        workspace: the workspace they act for.
        member: who they are, as the host knows them.
        session: a value that only this browser has, for example the session cookie's, as a text or a `Secret`; a
            callback that comes through another browser is refused.

    >>> Visitor(workspace="w1", member="mona", session="c2Vzc2lvbg").member
    'mona'

    Raises:
        ConfigurationError: one of them is empty.
    """

    workspace: str
    member: str
    session: Secret = field(converter=Secret)

    def __attrs_post_init__(self) -> None:
        if not (self.workspace and self.member and self.session):
            raise ConfigurationError(
                "a conversation needs a workspace, a member and a browser session",
                subject=f"member {self.member!r} of workspace {self.workspace!r}",
                remedy="pass who is signed in, and a value that only their browser session has",
            )


@frozen(kw_only=True)
class Callback:
    """What a browser brought back from a provider.

    Attributes:
        provider: provider key in the callback URL.
        host: host in the callback URL; empty for the provider's own.
        parameters: the query of the URL; one in which a parameter appears twice must be refused before.
        address: the callback URL without its query, as the browser asked for it; None where nobody can tell.

    >>> Callback(provider="acme", parameters={"state": "…", "code": "…"}).host
    ''
    """

    provider: str
    parameters: Mapping[str, str] = field(factory=dict, repr=False)
    host: str = ""
    address: str | None = None

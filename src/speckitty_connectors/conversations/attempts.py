"""Connections and links under way: one stored row for each state that a browser was sent off with.

The state is 256 random bits, stored as its SHA-256 and good for one use within ten minutes. What it belongs to
is stored beside it: who began it and in which browser, the provider, host and redirect URI, and, sealed, the PKCE
verifier or the grant that waits for a choice.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest
from types import MappingProxyType
from typing import Final

from attrs import field, frozen
from attrs.validators import min_len

from ..apps.service import RegisteredApp
from ..providers.accounts import Account
from ..providers.conversations import InstallAnswer, LinkAnswer
from ..tokens.oauth import TokenAnswer
from .refusals import Refusal
from .visitors import Callback, Visitor

LIFETIME = timedelta(minutes=10)
"""How long a browser may take; an authorisation code lives no longer either ("Authorizing OAuth apps" of GitHub,
"Installing with OAuth" of Slack)."""


class Purpose(StrEnum):
    """What a conversation is for."""

    INSTALL = "install"
    REAUTHORISE = "reauthorise"
    LINK = "link"
    TAKE_OVER = "take_over"


CONNECTING = frozenset({Purpose.INSTALL, Purpose.REAUTHORISE})
"""The purposes that the hook `install` answers."""

LINKING = frozenset({Purpose.LINK, Purpose.TAKE_OVER})
"""The purposes that the hook `link_user` answers."""


class AttemptStage(StrEnum):
    """What a conversation waits for."""

    LANDING = "landing"
    CODE = "code"
    CHOICE = "choice"


RETURNS = frozenset({AttemptStage.LANDING, AttemptStage.CODE})
"""The stages that end with a browser's return from the provider."""


@frozen(kw_only=True)
class Visit:
    """Somebody with a state, and where they came back from.

    Attributes:
        visitor: who they are, in which browser.
        purposes: what they may have come for.
        stages: what may be waited for there.
        state: the state they brought, or empty.
        callback: what they brought back; None where no provider sent them.
    """

    visitor: Visitor
    purposes: Collection[Purpose]
    stages: Collection[AttemptStage]
    state: str
    callback: Callback | None = None

    @property
    def code_digest(self) -> str:
        """The digest of the authorisation code that they brought, or empty."""
        return digest(self.callback.parameters.get("code", "")) if self.callback else ""


@frozen(kw_only=True)
class Attempt:
    """One attempt to connect an account or to link a person.

    Attributes:
        workspace: the workspace it is made for.
        member: who makes it.
        session_digest: digest of the browser session it was begun in.
        purpose: what it is for.
        provider: provider key.
        host: host of the app.
        app_id: the app registered with that host.
        redirect_uri: the exact URL that the provider sends the browser back to.
        installation_id: the installation that is authorised again, or that a link goes under; else empty.
        stage: what it waits for.
        remembered: what the plugin asked to keep.
        expires_at: when it is too late, in UTC.
        id: digest of the state under which it was stored; empty for one that wasn't yet.
    """

    workspace: str = field(validator=min_len(1))
    member: str = field(validator=min_len(1))
    session_digest: str
    purpose: Purpose
    provider: str
    host: str
    app_id: str
    redirect_uri: str
    expires_at: datetime
    installation_id: str = ""
    stage: AttemptStage = AttemptStage.LANDING
    remembered: Mapping[str, str] = field(factory=dict)
    id: str = ""

    def objection(self, visit: Visit, *, now: datetime) -> Refusal | None:
        """Return why it may not go on for the person who came back, or None."""
        if self.purpose not in visit.purposes or self.stage not in visit.stages:
            return Refusal.STATE_UNKNOWN
        if now >= self.expires_at:
            return Refusal.STATE_EXPIRED
        if not compare_digest(self.session_digest, digest(visit.visitor.session.reveal())):
            return Refusal.SESSION_MISMATCH
        if visit.visitor.workspace != self.workspace:
            return Refusal.WORKSPACE_MISMATCH
        if visit.visitor.member != self.member:
            return Refusal.MEMBER_MISMATCH
        return self._objection_to(visit.callback) if visit.callback else None

    def _objection_to(self, callback: Callback) -> Refusal | None:
        if callback.provider != self.provider:
            return Refusal.PROVIDER_MISMATCH
        if callback.host != self.host:
            return Refusal.HOST_MISMATCH
        if callback.address is not None and callback.address != self.redirect_uri:
            return Refusal.REDIRECT_MISMATCH
        return None

    @property
    def subject(self) -> str:
        """What error messages call it."""
        return f"provider {self.provider} on {self.host}"


def new_state() -> str:
    """Return 256 random bits, to be carried through the provider's pages."""
    return secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """Return the SHA-256 of a state, a session or a code, in hexadecimal: all that is kept of any; or empty."""
    if not text:
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


CallbackUrl = Callable[[str, str], str]
"""Returns the URL to which a provider (its key) sends browsers back from one of its hosts.

It is another one for each provider and host, so that a code can't be taken to the wrong token endpoint.
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

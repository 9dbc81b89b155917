"""Tokens that an app mints for one installation of itself, with a JWT that it signs."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import jwt
from attrs import frozen

from ..apps.service import RegisteredApp
from ..credentials.secret import Secret
from ..http.session import Transport, TransportSession
from ..providers.api import ApiError, ApiResponse, ApiUnauthorizedError, AppRefusedError
from ..providers.manifest import Manifest
from ..providers.oauth import AppTokenRules

Key = tuple[str, str, str]
"""Credential of the private key, root of the API, the provider's id of the installation."""


CLOCK_SECONDS: Final = 30.0
"""How far this machine's clock may be from the provider's before it is named as the reason for a refused proof."""


@frozen(kw_only=True)
class _Minted:
    token: Secret
    expires_at: datetime


class AppTokens:
    """Mints installation tokens and keeps them until they are nearly over; safe to share between threads.

    However many threads ask for the token of one installation at once, one of them mints it.
    """

    def __init__(
        self,
        manifest: Manifest,
        rules: AppTokenRules,
        transport: Transport,
        private_key: Callable[[RegisteredApp], Secret],
    ) -> None:
        self._manifest = manifest
        self._rules = rules
        self._transport = transport
        self._private_key = private_key
        self._minted: dict[Key, _Minted] = {}
        self._locks: defaultdict[Key, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def signed(self, registered: RegisteredApp) -> Secret:
        """Return a fresh JWT with which the app proves itself (RFC 7519)."""
        now = self._transport.now()
        claims = {
            "iss": registered.app.client_id,
            "iat": int((now - timedelta(seconds=self._rules.backdate_seconds)).timestamp()),
            "exp": int((now + timedelta(seconds=self._rules.lifetime_seconds)).timestamp()),
        }
        key = self._private_key(registered).reveal_bytes()
        return Secret(jwt.encode(claims, key, algorithm=self._rules.algorithm))

    def token(self, registered: RegisteredApp, installation: str) -> Secret:
        """Return a token of the installation with at least the margin left.

        Raises:
            ApiError: the provider minted none.
        """
        key = _key(registered, installation)
        with self._lock:
            lock = self._locks[key]
        with lock:
            minted = self._minted.get(key)
            if minted is None or minted.expires_at - self._margin <= self._transport.now():
                minted = self._mint(registered, installation)
                self._keep(key, minted)
            return minted.token

    def forget(self, registered: RegisteredApp, installation: str) -> bool:
        """Mint a new token at the next request, because the provider refused the one that is kept."""
        with self._lock:
            self._minted.pop(_key(registered, installation), None)
        return True

    @property
    def _margin(self) -> timedelta:
        return timedelta(seconds=self._rules.margin_seconds)

    def _keep(self, key: Key, minted: _Minted) -> None:
        with self._lock:
            now = self._transport.now()
            self._minted = {known: kept for known, kept in self._minted.items() if kept.expires_at > now}
            self._minted[key] = minted

    def _mint(self, registered: RegisteredApp, installation: str) -> _Minted:
        app = registered.app
        url = self._rules.mint_url.replace("{api}", app.urls.api).replace("{installation}", installation)
        document = self._proved(registered, url).json()
        fields = document if isinstance(document, dict) else {}
        token, expires_at = fields.get(self._rules.token_field), _moment(fields.get(self._rules.expires_field))
        if not isinstance(token, str) or not token or expires_at is None:
            raise ApiError(
                "the minted token can't be read",
                subject=f"{app.provider} installation {installation}",
                remedy="try again; if it lasts, tell the authors of the provider's plugin",
            )
        return _Minted(token=Secret(token), expires_at=expires_at)

    def _proved(self, registered: RegisteredApp, url: str) -> ApiResponse:
        """Ask with the app's own proof."""
        try:
            return self.session(registered).post(url)
        except ApiUnauthorizedError as refused:
            now = self._transport.now()
            away = (now - (refused.answered_at or now)).total_seconds()
            clock = f"its clock and ours are {abs(away):.0f} s apart" if abs(away) > CLOCK_SECONDS else ""
            raise AppRefusedError(
                f"the provider refused the app's own proof{f': {clock}' if clock else ''}",
                subject=f"{registered.app.provider} app at {registered.app.host}",
                remedy="set this machine's clock"
                if clock
                else "compare its client id and private key with the provider's",
                status=refused.status,
            ) from None

    def session(self, registered: RegisteredApp) -> TransportSession:
        """Return a session that speaks as the app itself."""
        return TransportSession(
            self._transport,
            root=registered.app.urls.api,
            authorization=lambda: f"Bearer {self.signed(registered).reveal()}",
            dialect=self._manifest.rate_limits,
            headers=self._manifest.api_headers,
            subject=f"{registered.app.provider} app at {registered.app.host}",
        )


def _key(registered: RegisteredApp, installation: str) -> Key:
    return registered.private_key_id, registered.app.urls.api, installation


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None

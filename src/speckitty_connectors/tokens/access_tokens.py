"""Access tokens that are renewed before they end, by one process at a time and with nothing lost.

Who may *ask* the provider is decided by a lease; who may *write* its answer, by the credential's version alone.
So a holder that was paused past its lease still brings home the only copy of a new refresh token, and one that
comes second overwrites nothing. No transaction is open while the provider is asked.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from attrs import frozen

from ..credentials.secret import Secret
from ..credentials.vault import OpenCredential, Vault
from ..providers.api import ApiUnauthorizedError, ApiUnavailableError
from ..store.engine import Store
from .grants import GrantCondition, StoredGrant, find_grant
from .renewal import Asking, RenewalTimes

POLL_SECONDS: Final = 0.1
"""How often one who waits for another's renewal looks whether it is there."""


class ReconnectRequiredError(ApiUnauthorizedError):
    """The provider accepts the grant no longer; only a person can give a new one."""

    code = "reconnect_required"


@frozen(kw_only=True)
class AccessToken:
    """A token to speak with.

    Attributes:
        secret: the token.
        version: of the credential that it is of.
        is_suspect: whether the provider has refused its grant once.
    """

    secret: Secret
    version: int
    is_suspect: bool = False


@frozen(kw_only=True)
class _Held:
    """What is stored at this moment, and how it looks by our clock."""

    credential: OpenCredential
    grant: StoredGrant | None
    is_valid: bool
    is_due: bool

    @property
    def token(self) -> AccessToken:
        return AccessToken(
            secret=self.credential.values["access_token"],
            version=self.credential.version,
            is_suspect=self.grant is not None and self.grant.condition is GrantCondition.SUSPECT,
        )


class AccessTokens:
    """Gives out access tokens; safe to share between threads, and beside other processes.

    However many callers need a renewal at once, one of them asks the provider; the others are served the token
    that is still valid, or wait for the new one.
    """

    def __init__(self, store: Store, vault: Vault, asking: Asking, times: RenewalTimes) -> None:
        self._store = store
        self._vault = vault
        self._asking = asking
        self._times = times
        self._locks: WeakValueDictionary[tuple[str, str], threading.Lock] = WeakValueDictionary()
        self._lock = threading.Lock()

    def get(
        self, *, workspace: str, credential_id: str, rejected_version: int = 0, opened: OpenCredential | None = None
    ) -> AccessToken:
        """Return a token that the provider should accept.

        `rejected_version` is the version of a token that the provider has just refused; 0 for none. A credential
        that was `opened` is opened anew only where there is a newer version.

        Raises:
            NotFoundError: there is no such credential any more.
            CredentialUnreadableError: it can't be opened.
            ReconnectRequiredError: the provider accepts the grant no longer.
            ApiUnavailableError: it couldn't be renewed for the moment.
        """
        held = self._read(workspace, credential_id, rejected_version, opened)
        if not held.is_due:
            return held.token
        lock = self._lock_of((workspace, credential_id))
        if not lock.acquire(timeout=0 if held.is_valid else self._times.wait):
            if held.is_valid:
                return held.token
            raise _unavailable(held, "its renewal takes too long")
        try:
            return self._renewed(held.credential, rejected_version)
        finally:
            lock.release()

    def clear(self, *, workspace: str, credential_id: str) -> None:
        """Take a suspect grant for good again, whose token the provider has just accepted, if it is all there is.

        Where the grant can be renewed, its next renewal says whether it is good; an access token doesn't.

        Raises:
            NotFoundError: there is no such credential any more.
            CredentialUnreadableError: it can't be opened.
        """
        held = self._read(workspace, credential_id, 0, None)
        if held.grant is not None and held.grant.condition is GrantCondition.SUSPECT:
            self._asking.clear(held.credential, held.grant)

    def _renewed(self, opened: OpenCredential, rejected_version: int) -> AccessToken:
        end, has_asked = time.monotonic() + self._times.wait, False
        while True:
            held = self._read(opened.workspace, opened.id, rejected_version, opened)
            if not held.is_due:
                return held.token
            if held.grant is None or held.grant.condition is GrantCondition.REFUSED:
                raise _reconnect(held)
            if held.grant.is_open and not has_asked:
                is_rejected = held.credential.version == rejected_version
                has_asked = self._asking.ask(held.credential, held.grant, is_rejected=is_rejected)
                continue  # the next look shows what came of it, whose turn it was in the end
            if held.is_valid:
                return held.token
            if not held.grant.is_being_renewed or time.monotonic() >= end:
                raise _unavailable(held, "it has ended, and the provider gave no new one")
            time.sleep(POLL_SECONDS)

    def _read(
        self, workspace: str, credential_id: str, rejected_version: int, opened: OpenCredential | None
    ) -> _Held:
        with self._store.reading() as connection:
            credential = self._vault.newest(connection, opened, workspace=workspace, credential_id=credential_id)
            grant = find_grant(connection, workspace=workspace, credential_id=credential_id)
        now, end = self._store.now(), credential.expires_at
        is_valid = credential.version != rejected_version and (end is None or end > now)
        is_due = not is_valid or (grant is not None and self._is_due(credential, grant, now))
        return _Held(credential=credential, grant=grant, is_valid=is_valid, is_due=is_due)

    def _is_due(self, credential: OpenCredential, grant: StoredGrant, now: datetime) -> bool:
        """Say whether to renew a valid token now; not while another does, and not in the pause after a failure."""
        renew_at = self._asking.renew_at(credential)
        is_open = grant.is_open and grant.condition is not GrantCondition.REFUSED
        return is_open and renew_at is not None and renew_at <= now

    def _lock_of(self, key: tuple[str, str]) -> threading.Lock:
        with self._lock:
            lock = self._locks.get(key)
            if lock is None:
                lock = self._locks[key] = threading.Lock()
            return lock


def _reconnect(held: _Held) -> ReconnectRequiredError:
    return ReconnectRequiredError(
        "the provider accepts this connection no longer",
        subject=f"{held.credential.kind} of {held.credential.provider} at {held.credential.host}",
        remedy="connect again, so that there is a fresh credential",
    )


def _unavailable(held: _Held, why: str) -> ApiUnavailableError:
    return ApiUnavailableError(
        f"there is no valid token: {why}",
        subject=f"{held.credential.kind} of {held.credential.provider} at {held.credential.host}",
        remedy="try again in a minute; if it lasts, look at the provider's status page",
    )

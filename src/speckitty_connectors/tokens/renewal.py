"""Asking a provider for new tokens: taking the turn, the request, and writing what came of it."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Container
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen
from attrs.validators import gt
from sqlalchemy import Connection

from ..apps.service import Apps
from ..credentials.secret import Secret
from ..credentials.vault import OpenCredential, Vault
from ..errors import StoreUnavailableError
from ..http.session import Transport
from ..loading.registry import Registry
from ..providers.api import ApiError
from ..providers.oauth import OAuthRules
from ..store.engine import Store
from .grants import (
    GrantCondition,
    OnGrantChange,
    StoredGrant,
    begin_renewal,
    end_renewal,
    find_grant,
    lock_grant,
    rules_for,
    update_nothing,
)
from .oauth import OAuthFlow, OAuthRefusedError, TokenAnswer

logger = logging.getLogger(__name__)

JITTER: Final = 0.2
"""The share of the margin by which grants of the same age are renewed apart from each other."""

WRITE_SECONDS: Final = 60.0
"""How long to try to write new tokens to a database that is busy or away: there is no other copy of them."""

WRITE_PAUSE_SECONDS: Final = 0.2


@frozen(kw_only=True)
class RenewalTimes:
    """How long the parts of a renewal take, in seconds.

    Attributes:
        send: how long after taking the turn the request may leave; a process that was paused longer sends nothing.
        slack: how much longer the lease is.
        retry: the pause after a first failure; it doubles with each further one, up to `longest_retry`.
        longest_retry: the longest such pause.
        wait: how long a caller whose token has ended waits for another's renewal.

    >>> times = RenewalTimes()
    >>> times.lease, times.until_next(may_repeat=True), times.until_next(may_repeat=False)
    (30.0, 30.0, 60.0)
    """

    send: float = field(default=20.0, validator=gt(0))
    slack: float = field(default=10.0, validator=gt(0))
    retry: float = field(default=5.0, validator=gt(0))
    longest_retry: float = field(default=300.0, validator=gt(0))
    wait: float = field(default=45.0, validator=gt(0))

    @property
    def lease(self) -> float:
        """How long nobody else asks."""
        return self.send + self.slack

    def until_next(self, *, may_repeat: bool) -> float:
        """Return when another may ask after one who began and was heard of no more.

        Where a used refresh token may be presented again, that is the end of the lease. Where it may not, its
        holder gets as much time again to bring home the answer, because a second request would be refused.
        """
        return self.lease if may_repeat else 2 * self.lease

    def pause(self, failures: int) -> float:
        """Return the pause after so many failures in a row."""
        return min(self.longest_retry, self.retry * 2.0 ** min(failures - 1, 30))


@frozen(kw_only=True)
class _Turn:
    """An attempt of ours, and what was stored when it began."""

    mark: int
    credential: OpenCredential
    grant: StoredGrant

    @property
    def failures(self) -> int:
        return self.grant.failures + 1

    def __str__(self) -> str:
        known = self.credential
        return f"{known.kind} {known.id} of {known.provider} at {known.host}"


class Asking:
    """Asks providers for new tokens."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        transport: Transport,
        registry: Registry,
        apps: Apps,
        *,
        times: RenewalTimes,
        on_grant_change: OnGrantChange = update_nothing,
    ) -> None:
        self._store = store
        self._vault = vault
        self._transport = transport
        self._registry = registry
        self._apps = apps
        self._times = times
        self._on_grant_change = on_grant_change

    def renew_at(self, credential: OpenCredential) -> datetime | None:
        """Return when a credential is to be renewed: before its end where it can be; None where it has no end."""
        end, rules = credential.expires_at, self._rules(credential)
        if end is None or rules is None or rules.refresh is None:
            return end
        margin = min(timedelta(seconds=rules.refresh.margin_seconds), (end - credential.updated_at) / 2)
        # The same for every process, so that all of them agree on the moment.
        share = zlib.crc32(f"{credential.id}/{credential.version}".encode()) / 2**32
        return end - margin * (1 - JITTER * share)

    def ask(self, credential: OpenCredential, grant: StoredGrant, *, is_rejected: bool) -> bool:
        """Ask for new tokens and write what came of it; return False where it isn't our turn.

        `is_rejected` says whether the provider refused its access token before its end.

        Raises:
            NotFoundError: the app that it was granted to isn't registered any more.
            StoreUnavailableError: the database was away for so long that the answer had to be given up.
        """
        rules, refresh_token = self._rules(credential), self._refresh_token(credential)
        if rules is None or rules.refresh is None or refresh_token is None:
            turn = self._begin(credential, grant, self._times.lease)
            if turn is not None:
                self._give_up(turn, is_final=not is_rejected, pause=self._times.lease)
            return turn is not None
        flow, interval = self._flow(rules, grant), self._times.until_next(may_repeat=rules.refresh.may_repeat)
        end = time.monotonic() + self._times.send
        turn = self._begin(credential, grant, interval)
        if turn is not None:
            self._renew(turn, flow, refresh_token, rules.refresh.refusals, interval=interval, end=end)
        return turn is not None

    def clear(self, credential: OpenCredential, grant: StoredGrant) -> None:
        """Take a suspect grant that can't be renewed for good, unless somebody has its turn or newer tokens."""
        if self._refresh_token(credential) is not None:
            return
        with self._store.transaction() as connection:
            if lock_grant(connection, grant) == 0 and self._is_unchanged(connection, credential):
                self._settle(connection, grant, GrantCondition.GOOD)

    def _refresh_token(self, credential: OpenCredential) -> Secret | None:
        """Return what the credential can be renewed with, or None where it can't be."""
        rules = self._rules(credential)
        can_renew = rules is not None and rules.refresh is not None
        return credential.values.get("refresh_token") or None if can_renew else None

    def _renew(
        self,
        turn: _Turn,
        flow: OAuthFlow,
        refresh_token: Secret,
        refusals: Container[str],
        *,
        interval: float,
        end: float,
    ) -> None:
        redirect_uri = turn.grant.redirect_uri
        try:
            tokens = flow.renew(
                refresh_token=refresh_token,
                redirect_uri=redirect_uri,
                may_leave=lambda: self._may_leave(turn, end),
            )
        except OAuthRefusedError as error:
            if error.error in refusals:
                self._give_up(turn, is_final=False, pause=interval)
            else:
                self._failed(turn, error.error or error.code)
        except ApiError as error:
            self._failed(turn, error.code)
        else:
            _insist(lambda: self._bring_home(turn, tokens))

    def _rules(self, credential: OpenCredential) -> OAuthRules | None:
        return rules_for(self._registry.provider(credential.provider).manifest, credential.kind, credential.host)

    def _flow(self, rules: OAuthRules, grant: StoredGrant) -> OAuthFlow:
        with self._store.reading() as connection:
            app = self._apps.of(connection, grant)
            secret = self._vault.open(
                connection, workspace=app.workspace, credential_id=app.client_secret_id
            ).secret
        return OAuthFlow(rules, app.app, secret, self._transport)

    def _begin(self, credential: OpenCredential, grant: StoredGrant, seconds: float) -> _Turn | None:
        """Take the turn, if nobody has it and nobody renewed the credential since we looked."""
        with self._store.transaction() as connection:
            lock_grant(connection, grant)
            if not self._is_unchanged(connection, credential):
                return None
            mark = begin_renewal(connection, grant, seconds=seconds)
        return _Turn(mark=mark, credential=credential, grant=grant) if mark else None

    def _is_unchanged(self, connection: Connection, credential: OpenCredential) -> bool:
        known = self._vault.version(connection, workspace=credential.workspace, credential_id=credential.id)
        return credential.version == known

    def _may_leave(self, turn: _Turn, end: float) -> bool:
        """Say at the last moment whether the turn isn't over and the refresh token is still the stored one.

        A process that was paused past its lease may write a newer one at any time. Where the database can't tell,
        nothing leaves: the answer couldn't be written either.
        """
        try:
            with self._store.reading() as connection:
                is_unchanged = self._is_unchanged(connection, turn.credential)
        except StoreUnavailableError:
            return False
        return is_unchanged and time.monotonic() < end

    def _bring_home(self, turn: _Turn, tokens: TokenAnswer) -> None:
        """Write new tokens unless others were written meanwhile; a turn that is over is no objection.

        Where another asks by now, that turn goes on, so that nobody uses up the new refresh token while the old
        one may be on its way to the provider.
        """
        credential, grant = turn.credential, turn.grant
        values: dict[str, Secret | str] = {**credential.values, **tokens.values}
        with self._store.transaction() as connection:
            is_replaced = self._vault.replace(
                connection,
                workspace=credential.workspace,
                credential_id=credential.id,
                expected_version=credential.version,
                values=values,
                expires_at=tokens.expires_at,
            )
            mark = lock_grant(connection, grant)
            if is_replaced or mark == turn.mark:
                self._settle(connection, grant, GrantCondition.GOOD, goes_on=mark not in {0, turn.mark})

    def _give_up(self, turn: _Turn, *, is_final: bool, pause: float) -> None:
        """Take one refusal for a suspicion, and the next, or one that can't pass, for the end."""
        is_final = is_final or turn.grant.condition is GrantCondition.SUSPECT
        condition = GrantCondition.REFUSED if is_final else GrantCondition.SUSPECT
        logger.warning("%s: the provider accepts it no longer, so it is %s", turn, condition)
        self._note(turn, condition, pause=pause)

    def _failed(self, turn: _Turn, reason: str) -> None:
        is_suspect = turn.grant.condition is GrantCondition.SUSPECT
        logger.warning("%s: it could not be renewed (%s), try %d", turn, reason, turn.failures)
        condition = GrantCondition.SUSPECT if is_suspect else GrantCondition.FAILING
        self._note(turn, condition, pause=self._times.pause(turn.failures))

    def _note(self, turn: _Turn, condition: GrantCondition, *, pause: float) -> None:
        """Note a failure, unless the turn is another's by now: that one is to go on undisturbed."""
        with self._store.transaction() as connection:
            if lock_grant(connection, turn.grant) != turn.mark:
                return
            if self._is_unchanged(connection, turn.credential):
                self._settle(connection, turn.grant, condition, failures=turn.failures, pause=pause)
            else:  # somebody wrote newer tokens meanwhile
                self._settle(connection, turn.grant, GrantCondition.GOOD)

    def _settle(
        self,
        connection: Connection,
        grant: StoredGrant,
        condition: GrantCondition,
        *,
        failures: int = 0,
        pause: float = 0,
        goes_on: bool = False,
    ) -> None:
        known = find_grant(connection, workspace=grant.workspace, credential_id=grant.credential_id)
        end_renewal(connection, grant, condition=condition, failures=failures, pause_seconds=pause, goes_on=goes_on)
        if known is not None and known.condition is not condition:
            self._on_grant_change(
                connection,
                workspace=grant.workspace,
                credential_id=grant.credential_id,
                condition=condition,
                now=self._store.now(),
            )


def _insist(write: Callable[[], None]) -> None:
    """Write, and try again while the database is away."""
    end = time.monotonic() + WRITE_SECONDS
    while True:
        try:
            return write()
        except StoreUnavailableError:
            if time.monotonic() >= end:
                raise
            time.sleep(WRITE_PAUSE_SECONDS)

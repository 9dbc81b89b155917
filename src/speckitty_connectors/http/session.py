"""Every outbound call: a guarded transport, and sessions that call one provider host with one credential."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import requests
from requests.auth import AuthBase

from ..identifiers import Clock, utc_now
from ..providers.api import ApiError, ApiThrottledError, ApiUnauthorizedError, EgressRefusedError
from ..providers.failures import FailureDialect
from ..providers.manifest import Budget, RateLimitDialect
from .adapter import GuardedAdapter
from .egress import Egress, Resolve, origin_of, resolve_host
from .response import ProviderAnswer, write_document
from .throttling import Patience, Pauses, throttled_seconds

logger = logging.getLogger(__name__)

USER_AGENT: Final = "speckitty-connectors"
"""Some providers refuse requests without one."""

FOLLOWED: Final = frozenset({301, 302, 307, 308})
"""The redirects that a GET follows, inside its origin (RFC 9110, section 15.4)."""

REDIRECTS: Final = 3
"""How many of them."""

NO_BUDGETS: Final[Mapping[Budget, str]] = MappingProxyType({})


class Transport:
    """Carries every outbound call of a process; safe to share between threads.

    Only https to public addresses on port 443, except for the operator's `allowed_hosts`; no proxy, no cookies, no
    redirects, nothing from the environment.

    Args:
        allowed_hosts: ``host:port`` that may be reached although they aren't public, not https or not port 443.
        clock: the present moment, for the end of rate-limit windows.
        sleep: waits so many seconds.
        timeout_seconds: longest wait for a connection, and for the next piece of a response.
        call_seconds: longest time for one request with its response.
        patience_seconds: longest that a call may wait between its tries, all together.
        body_limit: largest response, in bytes.
        certificates: path of a file with certificates to trust instead of the public ones.
        resolve: finds the addresses of a host.

    >>> Transport(allowed_hosts={"gitlab.internal:443"}).egress.check("https://gitlab.internal/api").host
    'gitlab.internal'

    Raises:
        ConfigurationError: an allowed host isn't of the form ``host:port``.
    """

    def __init__(
        self,
        *,
        allowed_hosts: Iterable[str] = frozenset(),
        clock: Clock = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        timeout_seconds: float = 10.0,
        call_seconds: float = 60.0,
        patience_seconds: float = 120.0,
        body_limit: int = 32 * 1024 * 1024,
        certificates: str = "",
        resolve: Resolve = resolve_host,
    ) -> None:
        self.now = clock
        self.sleep = sleep
        self.patience_seconds = patience_seconds
        self.pauses = Pauses()
        self.egress = Egress(allowed_hosts=frozenset(allowed_hosts), resolve=resolve)
        self.adapter = GuardedAdapter(
            self.egress,
            timeout_seconds=timeout_seconds,
            call_seconds=call_seconds,
            body_limit=body_limit,
            certificates=certificates,
        )

    def fetch(self, url: str) -> ProviderAnswer:
        """Return what is published at an address; it is requested once, without a credential.

        Raises:
            ApiError: the response was not 2xx, or there was none.
        """
        self.egress.check(url)  # the URL as it was given, before requests rewrites it
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        answer = ProviderAnswer.of(self.adapter.send(requests.Request("GET", url, headers=headers).prepare()))
        if not answer.is_good:
            raise answer.failure("GET", origin_of(url).host)
        return answer

    def close(self) -> None:
        """Close the connections that are kept open."""
        self.adapter.close()


class _CredentialThrottledError(Exception):
    """The credential itself couldn't be had for a limit, which was waited out as long as patience lasted."""

    def __init__(self, error: ApiThrottledError) -> None:
        super().__init__(error.what)
        self.error = error


class _Authorization(AuthBase):
    """Puts the credential into a request at the last moment, so that no frame of ours holds it."""

    def __init__(self, authorization: Callable[[], str]) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            request.headers["Authorization"] = self._authorization()
        except ApiThrottledError as error:
            raise _CredentialThrottledError(error) from None
        if _is_header_value(request.headers["Authorization"]):
            return request
        # Refused here, because the standard library's error would show the value.
        raise ApiUnauthorizedError(
            "the credential has characters that a header can't carry",
            remedy="connect it again, or register the app again",
        )


def _is_header_value(value: str) -> bool:
    return value.isascii() and value.isprintable()


class TransportSession:
    """Calls one provider host with one credential; implements `providers.api.ApiSession`.

    A throttled call waits and is sent again, and so is a call that only reads and fails for the moment, as long as
    the patience lasts.

    Args:
        transport: carries the requests.
        root: the API's root without a trailing slash; no other origin is called.
        authorization: returns the value of the Authorization header; called for each request.
        dialect: how the provider says that calls are too fast.
        headers: sent with every request.
        subject: what error messages call the provider's side.
        patience_seconds: longest that a call may wait between its tries; the transport's if not given.
        on_unauthorized: called when the credential was refused (401), so that a cached one is dropped; returns
            whether there is another one now, with which the request is sent again.
        unauthorized_pauses: how many seconds to wait before each time that it is sent again.
        on_accepted: called after each good answer, which says that the credential is good.
        budgets: the names of the budgets that this session shares with others of the transport.
        failures: how the provider reports failures other than by status; None if it doesn't.

    >>> session = TransportSession(
    ...     Transport(), root="https://api.example", authorization=lambda: "Bearer …",
    ...     dialect=RateLimitDialect(), headers={}, subject="example")
    >>> session.get("https://elsewhere.example/boards")
    Traceback (most recent call last):
    speckitty_connectors.providers.api.EgressRefusedError: the URL leaves the API's origin · example · ...
    """

    def __init__(
        self,
        transport: Transport,
        *,
        root: str,
        authorization: Callable[[], str],
        dialect: RateLimitDialect,
        headers: Mapping[str, str],
        subject: str,
        patience_seconds: float | None = None,
        on_unauthorized: Callable[[], bool] | None = None,
        unauthorized_pauses: Sequence[float] = (0.0,),
        on_accepted: Callable[[], None] | None = None,
        budgets: Mapping[Budget, str] = NO_BUDGETS,
        failures: FailureDialect | None = None,
    ) -> None:
        self._transport = transport
        self._root = root
        self._authorization = _Authorization(authorization)
        self._dialect = dialect
        self._headers = {"User-Agent": USER_AGENT, **headers}
        self._subject = subject
        self._patience_seconds = transport.patience_seconds if patience_seconds is None else patience_seconds
        self._on_unauthorized = on_unauthorized
        self._unauthorized_pauses = unauthorized_pauses
        self._on_accepted = on_accepted
        self._budgets = budgets
        self._failures = failures

    def get(self, url: str, *, parameters: Mapping[str, str] | None = None) -> ProviderAnswer:
        """Send a GET request, and follow redirects inside the origin."""
        return self._call(requests.Request("GET", self._absolute(url), params=dict(parameters or {})))

    def query(self, url: str, *, document: object = None) -> ProviderAnswer:
        """Send a POST request that only reads; it is tried again like a GET."""
        return self._call(self._with_document("POST", url, document), repeatable=True)

    def post(self, url: str, *, document: object = None) -> ProviderAnswer:
        """Send a POST request with a JSON document; secrets in it are revealed only in what is sent."""
        return self._call(self._with_document("POST", url, document))

    def put(self, url: str, *, document: object = None) -> ProviderAnswer:
        """Send a PUT request with a JSON document."""
        return self._call(self._with_document("PUT", url, document))

    def delete(self, url: str, *, document: object = None) -> ProviderAnswer:
        """Send a DELETE request, with a JSON document where the provider wants one."""
        return self._call(self._with_document("DELETE", url, document))

    def _with_document(self, method: str, url: str, document: object) -> requests.Request:
        if document is None:
            return requests.Request(method, self._absolute(url))
        headers = {"Content-Type": "application/json"}
        return requests.Request(method, self._absolute(url), data=write_document(document), headers=headers)

    def _absolute(self, url: str) -> str:
        absolute = self._root + url if url.startswith("/") else url
        if origin_of(absolute) != origin_of(self._root):
            raise EgressRefusedError(
                "the URL leaves the API's origin",
                subject=self._subject,
                remedy="use a URL that the API itself gave",
            )
        return absolute

    def _call(self, request: requests.Request, *, repeatable: bool = False) -> ProviderAnswer:
        """Send until the response is good or the patience ends."""
        patience = Patience(self._patience_seconds, repeatable=repeatable or request.method == "GET")
        pauses = iter(self._unauthorized_pauses)
        while True:
            try:
                outcome = self._paused() or self._attempt(request, patience.throttled)
            except _CredentialThrottledError as throttled:
                raise throttled.error from None
            if isinstance(outcome, ProviderAnswer):
                if self._on_accepted is not None:
                    self._on_accepted()
                return outcome
            failure = outcome
            wait = self._pause_before_another_credential(failure, pauses)
            if wait is None:
                wait = patience.wait_for(failure)
            if wait is None:
                raise failure
            logger.info("%s: %s; next try in %.1f s", self._subject, failure.what, wait)
            self._transport.sleep(wait)

    def _paused(self) -> ApiThrottledError | None:
        """Return why nothing may be sent yet: another call used up a shared budget."""
        seconds = self._transport.pauses.remaining(self._budgets.values(), self._transport.now())
        return self._throttled("a budget that is shared with other calls is used up", seconds) if seconds else None

    def _attempt(self, request: requests.Request, tries: int) -> ProviderAnswer | ApiError:
        try:
            answer = self._follow(request)
        except ApiError as error:
            return error
        return self._failure(request, answer, tries) or answer

    def _pause_before_another_credential(self, failure: ApiError, pauses: Iterator[float]) -> float | None:
        """Return how long to wait before a request that was refused is sent again, or None if it isn't.

        A refused request did nothing, whatever its method.
        """
        is_refused = isinstance(failure, ApiUnauthorizedError) and failure.status > 0
        if not is_refused or self._on_unauthorized is None or (pause := next(pauses, None)) is None:
            return None
        return pause if self._on_unauthorized() else None

    def _follow(self, request: requests.Request) -> ProviderAnswer:
        answer = self._send(request)
        for _ in range(REDIRECTS):
            if request.method != "GET" or answer.status not in FOLLOWED:
                break
            answer = self._send(requests.Request("GET", answer.location))
        return answer

    def _send(self, request: requests.Request) -> ProviderAnswer:
        request.headers = {**self._headers, **(request.headers or {})}
        request.auth = self._authorization
        answer = ProviderAnswer.of(self._transport.adapter.send(request.prepare())).as_told(self._failures)
        logger.debug("%s: %s answered %d", self._subject, request.method, answer.status)
        return answer

    def _failure(self, request: requests.Request, answer: ProviderAnswer, tries: int) -> ApiError | None:
        wait = throttled_seconds(
            self._dialect,
            status=answer.status,
            headers=answer.headers,
            error_code=answer.error_code() if self._dialect.error_code else "",
            body=answer.body if answer.status in self._dialect.conditional_statuses else b"",
            tries=tries,
            now=self._transport.now(),
        )
        if wait is None and answer.is_good:
            return None
        failure = answer.failure(request.method or "", self._subject)
        if wait is not None:
            limit = answer.headers.get(self._dialect.budget_header, "")
            budget = self._dialect.budgets.get(limit, Budget.CALL)
            if budget in self._budgets:
                self._transport.pauses.note(self._budgets[budget], wait, self._transport.now())
            return self._throttled(failure.what, wait, status=answer.status)
        return failure

    def _throttled(self, what: str, seconds: float, *, status: int = 0) -> ApiThrottledError:
        return ApiThrottledError(
            what,
            subject=self._subject,
            remedy=f"try again in {seconds:.0f} seconds",
            status=status,
            retry_after_seconds=seconds,
        )

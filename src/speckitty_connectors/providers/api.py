"""How a plugin talks to its provider: through the session it is handed, and in no other way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from attrs import frozen

from ..errors import ConnectorsError
from .accounts import Account, App


class ApiResponse(Protocol):
    """An answer with status 2xx or 304; everything else is an `ApiError`."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names compare without regard to case."""
        ...

    @property
    def next_link(self) -> str:
        """The URL of ``rel="next"`` in the Link header (RFC 8288), or empty."""
        ...

    def json(self) -> object:
        """Return the decoded JSON document.

        Raises:
            ApiError: the body isn't JSON.
        """
        ...


class ApiSession(Protocol):
    """Speaks to one provider host with one credential that stays hidden.

    URLs are absolute or start with ``/`` and are then relative to the API's root; another origin is refused.
    Throttling is waited out by the manifest's dialect. Each call raises `ApiError` where the answer was not 2xx, or
    there was none.
    """

    def get(self, url: str, *, parameters: Mapping[str, str] | None = None) -> ApiResponse:
        """Send a GET request."""
        ...

    def query(self, url: str, *, document: object = None) -> ApiResponse:
        """Send a POST request that only reads, as a query of GraphQL; it is tried again as a GET is."""
        ...

    def post(self, url: str, *, document: object = None) -> ApiResponse:
        """Send a POST request with a JSON document."""
        ...

    def put(self, url: str, *, document: object = None) -> ApiResponse:
        """Send a PUT request with a JSON document."""
        ...

    def delete(self, url: str, *, document: object = None) -> ApiResponse:
        """Send a DELETE request, with a JSON document where the provider wants one."""
        ...


class ApiError(ConnectorsError):
    """The provider's API refused, failed, or did not answer; its body is never part of the text.

    Attributes:
        status: the HTTP status, or 0 where there was no answer.
        retry_after_seconds: how long to wait before the next try, or None.
        answered_at: the provider's own time of its answer (the ``Date`` header), or None.
    """

    code = "api"

    def __init__(
        self,
        what: str,
        *,
        subject: str = "",
        remedy: str = "",
        status: int = 0,
        retry_after_seconds: float | None = None,
        answered_at: datetime | None = None,
    ) -> None:
        super().__init__(what, subject=subject, remedy=remedy)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.answered_at = answered_at


class ApiUnauthorizedError(ApiError):
    """401: the credential is no longer accepted."""

    code = "api_unauthorized"


class AppRefusedError(ApiError):
    """The provider refused the app's own proof: its private key, or this machine's clock, is wrong.

    That is for the operator to fix; no customer's connection is at fault.
    """

    code = "app_refused"


class ApiForbiddenError(ApiError):
    """403: the credential isn't allowed to do this."""

    code = "api_forbidden"


class ApiNotFoundError(ApiError):
    """404 or 410: it isn't there, or this credential may not know of it."""

    code = "api_not_found"


class AccountGoneError(ApiError):
    """The credential works, but doesn't reach the account any more: the app was removed there, or the access to it.

    A plugin raises it in `list_resources`; core then takes the app for uninstalled, as if a delivery had told so.
    """

    code = "account_gone"


class ApiThrottledError(ApiError):
    """The provider asked for more patience than the call may take."""

    code = "api_throttled"
    retryable = True


class ApiUnavailableError(ApiError):
    """5xx, no connection, or no answer in time."""

    code = "api_unavailable"
    retryable = True


class EgressRefusedError(ApiError):
    """Core refused to connect: the URL leaves the provider's origin, or points to an address that is not public."""

    code = "egress_refused"


@frozen(kw_only=True)
class Listing:
    """A request for the resources that an installation, or one of its members, can see.

    Attributes:
        app: the app registered with the host.
        account: the account of the installation.
        installation: the provider's own id of the installation, or empty.
        session: speaks to the API with the installation's credential, or the member's.
        scopes: what the installation is granted, as the provider names it.
        as_member: whether `session` speaks as a member, so that only what they may see is listed.
        cursor: where to resume; empty for the beginning.
        page_size: how many entries to ask for.
    """

    app: App
    account: Account
    session: ApiSession
    installation: str = ""
    scopes: tuple[str, ...] = ()
    as_member: bool = False
    cursor: str = ""
    page_size: int = 100

"""The stand-in as a WSGI application: routes, pages, and the API with its pages of ten."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import urlencode

from attrs import frozen

from speckitty_connectors.standin import (
    SampleDelivery,
    StandInRegistration,
    StandInRequest,
    StandInResponse,
    StandInWeb,
    page_of,
)

from . import documents
from .authorization import Authorization
from .documents import Document
from .story import deliveries

LONGEST_PAGE = 10
"""How many repositories a page has at most: fewer than GitHub's 100, so that 25 repositories take several pages."""

DEFAULT_PAGE = 30
"""How many a page has where the request doesn't say ("Using pagination in the REST API")."""

RETRY_AFTER_SECONDS = 1
"""What a throttled request is told to wait."""


@frozen(kw_only=True)
class _TokenResponse(StandInResponse):
    """JSON where it was asked for, else a form ("Authorizing OAuth apps")."""

    asks_for_json: bool

    def encoded(self) -> tuple[bytes, str]:
        if self.asks_for_json:
            return super().encoded()
        return urlencode(self.document).encode(), "application/x-www-form-urlencoded; charset=utf-8"


class GitHubStandIn:
    """A GitHub of one person, one organization and 25 repositories.

    Args:
        setup_url: where the browser lands after an installation.
        callback_url: where it lands after an authorisation.
        throttled_page: page of the listing that is refused once with 403 and ``retry-after``, or 0 for none.
        now: the present moment; the real one where it isn't given.

    >>> stand_in = GitHubStandIn(setup_url="http://127.0.0.1/setup", callback_url="http://127.0.0.1/callback")
    >>> stand_in.registration("http://127.0.0.1:4000")["settings"]
    {'slug': 'kitty-stand-in'}
    >>> stand_in.deliveries()[0].title
    'mona pushes to main'
    """

    def __init__(
        self,
        *,
        setup_url: str,
        callback_url: str,
        throttled_page: int = 0,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._setup_url = setup_url
        self._authorization = Authorization(callback_url=callback_url, now=now or partial(datetime.now, UTC))
        self._throttled_page = throttled_page
        self._installed = False
        self._web = "https://github.example"
        api = "/api/v3"
        self.application = StandInWeb(
            (
                ("GET", rf"/github-apps/{documents.APP_SLUG}/installations/new", self._install),
                ("GET", r"/login/oauth/authorize", self._authorize),
                ("POST", r"/login/oauth/access_token", self._exchange),
                ("GET", rf"{api}/user", self._user),
                ("GET", rf"{api}/user/installations", self._user_installations),
                ("GET", rf"{api}/user/installations/{documents.INSTALLATION_ID}/repositories", self._visible),
                ("GET", rf"{api}/user/memberships/orgs/{documents.ORGANIZATION}", self._membership),
                ("POST", rf"{api}/app/installations/{documents.INSTALLATION_ID}/access_tokens", self._mint),
                ("DELETE", rf"{api}/app/installations/{documents.INSTALLATION_ID}", self._uninstall),
                ("DELETE", rf"{api}/applications/[^/]+/grant", self._delete_grant),
                ("GET", rf"{api}/installation/repositories", self._installed_repositories),
            ),
            missing=_failure(HTTPStatus.NOT_FOUND, "Not Found"),
        )

    def registration(self, base_url: str) -> StandInRegistration:
        """Return what the app is registered with, for a stand-in that is served at `base_url`."""
        self._web = base_url.rstrip("/")
        return StandInRegistration(
            client_id=self._authorization.client_id,
            client_secret=self._authorization.client_secret,
            private_key=self._authorization.private_key,
            webhook_secrets=(self._authorization.webhook_secret,),
            base_url=self._web,
            settings={"slug": documents.APP_SLUG},
        )

    def deliveries(self) -> Sequence[SampleDelivery]:
        """Return the story, whose first event happens in the first repository of the listing."""
        return deliveries(self._web)

    def _install(self, request: StandInRequest) -> StandInResponse:
        self._installed = True
        landing = {"installation_id": str(documents.INSTALLATION_ID), "setup_action": "install"}
        state = {"state": request.query["state"]} if "state" in request.query else {}
        return StandInResponse.redirect(self._setup_url, {**landing, **state})

    def _authorize(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse.redirect(*self._authorization.authorize(request.query))

    def _exchange(self, request: StandInRequest) -> StandInResponse:
        return _TokenResponse(
            document=self._authorization.exchange(request.form),
            asks_for_json="json" in request.headers.get("HTTP_ACCEPT", ""),
        )

    def _user(self, request: StandInRequest) -> StandInResponse:
        return self._to_user(request, documents.profile(request.web))

    def _user_installations(self, request: StandInRequest) -> StandInResponse:
        found = [documents.installation(request.web, self._authorization.client_id)] if self._installed else []
        return self._to_user(request, {"total_count": len(found), "installations": found})

    def _membership(self, request: StandInRequest) -> StandInResponse:
        return self._to_user(request, documents.membership(request.web))

    def _to_user(self, request: StandInRequest, document: Document) -> StandInResponse:
        if not self._authorization.is_user(request.bearer):
            return _failure(HTTPStatus.UNAUTHORIZED, "Bad credentials")
        return StandInResponse(document=document)

    def _mint(self, request: StandInRequest) -> StandInResponse:
        token = self._authorization.mint(request.bearer)
        if token is None:
            return _failure(HTTPStatus.UNAUTHORIZED, "A JSON web token could not be decoded")
        return StandInResponse(status=HTTPStatus.CREATED, document=token)

    def _uninstall(self, request: StandInRequest) -> StandInResponse:
        if not self._authorization.is_app(request.bearer):
            return _failure(HTTPStatus.UNAUTHORIZED, "A JSON web token could not be decoded")
        if not self._installed:
            return _failure(HTTPStatus.NOT_FOUND, "Not Found")
        self._installed = False
        return StandInResponse(status=HTTPStatus.NO_CONTENT)

    def _delete_grant(self, request: StandInRequest) -> StandInResponse:
        """Answer "Delete an app authorization": the secret proves the app, the token says whose it is."""
        proof = request.headers.get("HTTP_AUTHORIZATION", "")
        if not self._authorization.delete_grant(proof, request.document["access_token"]):
            return _failure(HTTPStatus.NOT_FOUND, "Not Found")
        return StandInResponse(status=HTTPStatus.NO_CONTENT)

    def _visible(self, request: StandInRequest) -> StandInResponse:
        return self._page(request, allowed=self._authorization.is_user(request.bearer))

    def _installed_repositories(self, request: StandInRequest) -> StandInResponse:
        return self._page(request, allowed=self._authorization.is_installation(request.bearer))

    def _page(self, request: StandInRequest, *, allowed: bool) -> StandInResponse:
        if not allowed:
            return _failure(HTTPStatus.UNAUTHORIZED, "Bad credentials")
        if request.query.get("page", "1") == str(self._throttled_page):
            self._throttled_page = 0
            # "Rate limits for the REST API": a secondary limit answers 403 or 429.
            wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return _failure(HTTPStatus.FORBIDDEN, "You have exceeded a secondary rate limit.", wait)
        everything = range(documents.REPOSITORY_COUNT)
        shown, link = page_of(request, everything, longest=LONGEST_PAGE, default=DEFAULT_PAGE)
        repositories = [documents.repository(request.web, index) for index in shown]
        document = {"total_count": documents.REPOSITORY_COUNT, "repositories": repositories}
        return StandInResponse(document=document, headers=link)


def _failure(status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> StandInResponse:
    document = {
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": str(status.value),
    }
    return StandInResponse(status=status, document=document, headers=headers or {})

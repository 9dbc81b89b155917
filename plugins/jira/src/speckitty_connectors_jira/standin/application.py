"""The stand-in as a WSGI application: routes, pages of consent, and the API with its pages of ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from speckitty_connectors.standin import (
    SampleDelivery,
    StandInRegistration,
    StandInRequest,
    StandInResponse,
    StandInWeb,
    StandInWebhook,
)

from . import documents
from .authorization import CLOUD_REQUIRED, CLOUD_SCOPES, SERVER_SCOPES, Authorization
from .story import deliveries
from .webhooks import RegisteredWebhooks

LONGEST_PAGE = 10
"""How many projects a page has at most: fewer than Jira's 100, so that 25 projects take several pages."""

RETRY_AFTER_SECONDS = 1
"""What a throttled request is told to wait."""

_API = f"/ex/jira/{documents.CLOUD_ID}/rest/api/3"

Answer = Callable[[StandInRequest], StandInResponse]


class JiraStandIn:
    """A Jira of one person and 25 projects: a site of Jira Cloud, and beside it a Data Center instance.

    It is served in place of Atlassian's own hosts; its Data Center side is reached as a self-managed host.

    Args:
        setup_url: where the browser lands after an installation; Jira has no such page.
        callback_url: where it lands after an authorisation.
        throttled_page: page of the listing that is refused once with 429, or 0 for none.
        limit: which limit the refusal names.
        now: the present moment; the real one where it isn't given.

    Attributes:
        projects: what the site has; a test may change it.
        scopes: what a consent gives.
        installed: whether the app is (still) on the site.
        authorization: the app's credentials, and the tokens that were given out.
        registered: the webhooks that the app registered.

    >>> stand_in = JiraStandIn(setup_url="http://127.0.0.1/setup", callback_url="http://127.0.0.1/callback")
    >>> stand_in.deliveries()[0].title
    'mona opens an issue'
    """

    own_host = True

    def __init__(
        self,
        *,
        setup_url: str,  # noqa: ARG002 - what every stand-in is given
        callback_url: str,
        throttled_page: int = 0,
        limit: str = "jira-burst-based",
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.projects = [documents.project(index) for index in range(documents.PROJECT_COUNT)]
        self.scopes = CLOUD_SCOPES
        self.installed = True
        self.authorization = Authorization(callback_url=callback_url)
        self.registered = RegisteredWebhooks(now=now or partial(datetime.now, UTC))
        self._throttled_page = throttled_page
        self._limit = limit
        self.application = StandInWeb(
            [*self._cloud(), *self._data_center()], missing=_failure(HTTPStatus.NOT_FOUND)
        )

    def registration(self, base_url: str) -> StandInRegistration:
        """Return what the app is registered with, for a stand-in that is served at `base_url`."""
        return StandInRegistration(
            client_id=self.authorization.client_id,
            client_secret=self.authorization.client_secret,
            private_key=None,
            webhook_secrets=(),
            base_url=base_url.rstrip("/"),
            settings={},
        )

    def deliveries(self) -> Sequence[SampleDelivery]:
        """Return the story, whose first event happens in the first project of the listing."""
        return deliveries([webhook["id"] for webhook in self.registered.listed()])

    def webhooks(self) -> Sequence[StandInWebhook]:
        """Return what is registered; all of it posts to the app's address, and the client secret signs."""
        secret = self.authorization.client_secret
        return [StandInWebhook(url=url, secret=secret, scheme="app") for url in self.registered.urls()]

    def _cloud(self) -> list[tuple[str, str, Answer]]:
        return [
            ("GET", "/authorize", partial(self._authorize, required=CLOUD_REQUIRED)),
            ("POST", "/oauth/token", lambda request: self._exchange(request.document, self.scopes)),
            ("GET", "/oauth/token/accessible-resources", self._signed_in(self._sites)),
            ("GET", "/me", self._signed_in(lambda _: StandInResponse(document=documents.person()))),
            ("GET", f"{_API}/project/search", self._on_site(self._page)),
            ("GET", f"{_API}/webhook", self._on_site(self._list_webhooks)),
            ("POST", f"{_API}/webhook", self._on_site(self._register)),
            ("PUT", f"{_API}/webhook/refresh", self._on_site(self._refresh)),
            ("DELETE", f"{_API}/webhook", self._on_site(self._remove)),
        ]

    def _data_center(self) -> list[tuple[str, str, Answer]]:
        def shown(make: Callable[[StandInRequest], Any]) -> Answer:
            return self._signed_in(lambda request: StandInResponse(document=make(request)))

        return [
            (
                "GET",
                "/rest/oauth2/latest/authorize",
                partial(self._authorize, required={"code_challenge_method": "S256"}),
            ),
            ("POST", "/rest/oauth2/latest/token", lambda request: self._exchange(request.form, SERVER_SCOPES)),
            ("GET", "/rest/api/2/serverInfo", shown(lambda request: documents.server(request.web))),
            ("GET", "/rest/api/2/myself", shown(lambda request: documents.server_person(request.web))),
            ("GET", "/rest/api/2/project", shown(lambda _: self.projects)),
        ]

    def _signed_in(self, answer: Answer) -> Answer:
        def answered(request: StandInRequest) -> StandInResponse:
            known = self.authorization.knows(request.bearer)
            return answer(request) if known else _failure(HTTPStatus.UNAUTHORIZED)

        return answered

    def _on_site(self, answer: Answer) -> Answer:
        """Answer for a site that has the app."""
        return self._signed_in(
            lambda request: answer(request) if self.installed else _failure(HTTPStatus.NOT_FOUND)
        )

    def _authorize(self, request: StandInRequest, *, required: dict[str, str]) -> StandInResponse:
        return StandInResponse.redirect(*self.authorization.authorize(request.query, required=required))

    def _exchange(self, fields: Any, scopes: tuple[str, ...]) -> StandInResponse:
        pair = self.authorization.exchange(fields, scopes=scopes)
        if pair is None:
            # "OAuth 2.0 (3LO) apps": 403, where the protocol has 400.
            return StandInResponse(status=HTTPStatus.FORBIDDEN, document={"error": "invalid_grant"})
        return StandInResponse(document=pair)

    def _sites(self, _: StandInRequest) -> StandInResponse:
        return StandInResponse(document=documents.sites(self.scopes) if self.installed else [])

    def _page(self, request: StandInRequest) -> StandInResponse:
        start = int(request.query.get("startAt", "0"))
        size = min(int(request.query.get("maxResults", "50")), LONGEST_PAGE)
        if self._throttled_page and start == (self._throttled_page - 1) * LONGEST_PAGE:
            self._throttled_page = 0
            wait = {"Retry-After": str(RETRY_AFTER_SECONDS), "RateLimit-Reason": self._limit}
            return _failure(HTTPStatus.TOO_MANY_REQUESTS, wait)
        return StandInResponse(document=_page_of(self.projects, start, size))

    def _list_webhooks(self, request: StandInRequest) -> StandInResponse:
        start = int(request.query.get("startAt", "0"))
        return StandInResponse(document=_page_of(self.registered.listed(), start, LONGEST_PAGE))

    def _register(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse(document=self.registered.register(request.document))

    def _refresh(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse(document=self.registered.refresh(request.document["webhookIds"]))

    def _remove(self, request: StandInRequest) -> StandInResponse:
        self.registered.remove(request.document["webhookIds"])
        return StandInResponse(status=HTTPStatus.ACCEPTED)


def _page_of(entries: Sequence[Any], start: int, size: int) -> documents.Document:
    shown = entries[start : start + size]
    is_last = start + size >= len(entries)
    return {"startAt": start, "maxResults": size, "total": len(entries), "isLast": is_last, "values": list(shown)}


def _failure(status: HTTPStatus, headers: dict[str, str] | None = None) -> StandInResponse:
    return StandInResponse(
        status=status, document={"errorMessages": [status.phrase], "errors": {}}, headers=headers or {}
    )

"""The stand-in as a WSGI application: the page of consent, tokens, and the API with its pages of ten."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

from speckitty_connectors.standin import (
    SampleDelivery,
    StandInCodes,
    StandInRegistration,
    StandInRequest,
    StandInResponse,
    StandInWeb,
)

from ..manifest import GRAPHQL, THROTTLED
from . import documents
from .authorization import Authorization
from .documents import Document
from .story import deliveries

LONGEST_PAGE = 10
"""How many nodes a page has at most: fewer than Linear's 50, so that 20 teams take several pages."""

REQUESTS_SECONDS, COMPLEXITY_SECONDS = 1, 2
"""When the windows of a throttled request end; both budgets are used up."""


class LinearStandIn:
    """A Linear of one person and one workspace with 20 teams and 5 projects, served in place of Linear's own hosts.

    Args:
        setup_url: where the browser would land after an installation; Linear has no such page.
        callback_url: where it lands after an authorisation.
        throttled_page: page of the listing that is refused once, or 0 for none.
        now: the present moment; the real one where it isn't given.

    Attributes:
        organization, teams, projects: what there is; a test may change it.
        authorization: the app's credentials, and the tokens that were given out.

    >>> stand_in = LinearStandIn(setup_url="", callback_url="http://127.0.0.1/callback")
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
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._now = now or partial(datetime.now, UTC)
        self.organization = documents.organization()
        self.teams = [documents.team(index) for index in range(documents.TEAM_COUNT)]
        self.projects = [documents.project(index) for index in range(documents.PROJECT_COUNT)]
        self.authorization = Authorization(codes=StandInCodes(callback_url=callback_url), now=self._now)
        self._throttled_page = throttled_page
        self._pages = 0
        self.application = StandInWeb(
            (
                ("GET", "/oauth/authorize", self._authorize),
                ("POST", "/oauth/token", self._exchange),
                ("POST", "/oauth/revoke", self._revoke),
                ("POST", GRAPHQL, self._query),
            )
        )

    def registration(self, base_url: str) -> StandInRegistration:
        """Return what the app is registered with, for a stand-in that is served at `base_url`."""
        return StandInRegistration(
            client_id=self.authorization.client_id,
            client_secret=self.authorization.client_secret,
            private_key=None,
            webhook_secrets=(self.authorization.signing_secret,),
            base_url=base_url.rstrip("/"),
            settings={},
        )

    def deliveries(self) -> Sequence[SampleDelivery]:
        """Return the story, whose first event happens in the first project of the listing."""
        return deliveries(self._now())

    def _authorize(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse.redirect(*self.authorization.authorize(request.query))

    def _exchange(self, request: StandInRequest) -> StandInResponse:
        pair = self.authorization.exchange(request.form)
        if pair is None:
            return StandInResponse(status=HTTPStatus.BAD_REQUEST, document={"error": "invalid_grant"})
        return StandInResponse(document=pair)

    def _revoke(self, request: StandInRequest) -> StandInResponse:
        is_done = self.authorization.revoke_one(request.form.get("token", ""))
        return StandInResponse(status=HTTPStatus.OK if is_done else HTTPStatus.BAD_REQUEST, document={})

    def _query(self, request: StandInRequest) -> StandInResponse:
        """Answer one of the queries that this plugin knows, by its name."""
        actor = self.authorization.actor_of(request.bearer)
        if not actor:
            return _failure(HTTPStatus.UNAUTHORIZED, "AUTHENTICATION_ERROR")
        variables = request.document["variables"]
        match request.document["operationName"]:
            case "Identity":
                viewer = documents.user(is_app=actor == "app")
                return _data({"viewer": viewer, "organization": self.organization})
            case "Teams":
                return self._page({"organization": self.organization}, "teams", self.teams, variables)
            case "Projects":
                return self._page({}, "projects", self.projects, variables)
            case _:
                return _failure(HTTPStatus.BAD_REQUEST, "GRAPHQL_VALIDATION_FAILED")

    def _page(
        self, beside: Document, name: str, nodes: Sequence[Document], variables: Mapping[str, Any]
    ) -> StandInResponse:
        self._pages += 1
        if self._pages == self._throttled_page:
            self._throttled_page = 0
            return _failure(HTTPStatus.BAD_REQUEST, THROTTLED, self._windows())
        start = int(variables["after"] or 0)
        end = start + min(variables["first"], LONGEST_PAGE)
        info = {"hasNextPage": end < len(nodes), "endCursor": str(min(end, len(nodes))) if nodes else None}
        return _data({**beside, name: {"nodes": list(nodes[start:end]), "pageInfo": info}})

    def _windows(self) -> dict[str, str]:
        """Return the headers of a throttled request, with the ends in milliseconds ("Rate limiting")."""
        seconds = {"Requests": REQUESTS_SECONDS, "Complexity": COMPLEXITY_SECONDS}
        ends = {name: self._now() + timedelta(seconds=wait) for name, wait in seconds.items()}
        return {f"X-RateLimit-{name}-Remaining": "0" for name in ends} | {
            f"X-RateLimit-{name}-Reset": str(int(end.timestamp() * 1000)) for name, end in ends.items()
        }


def _data(data: Document) -> StandInResponse:
    return StandInResponse(document={"data": data})


def _failure(status: HTTPStatus, code: str, headers: Mapping[str, str] | None = None) -> StandInResponse:
    errors = [{"message": status.phrase, "extensions": {"code": code, "statusCode": status.value}}]
    return StandInResponse(status=status, document={"errors": errors}, headers=headers or {})

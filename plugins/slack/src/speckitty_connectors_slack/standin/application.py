"""The stand-in as a WSGI application: routes, pages, and the Web API with its pages of ten."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from speckitty_connectors.standin import (
    SampleDelivery,
    StandInCodes,
    StandInRegistration,
    StandInRequest,
    StandInResponse,
    StandInWeb,
)

from . import documents
from .authorization import Authorization, refusal
from .story import deliveries

LONGEST_PAGE = 10
"""How many channels a page has at most: fewer than Slack's 1000, so that 25 channels take several pages."""

DEFAULT_PAGE = 100
"""How many a page has where the request doesn't say ("conversations.list")."""

RETRY_AFTER_SECONDS = 1
"""What a throttled request is told to wait."""


class SlackStandIn:
    """A Slack of one person and one workspace with 25 channels.

    Args:
        setup_url: where the browser would land after an installation; Slack has no such page.
        callback_url: where it lands after an authorisation.
        throttled_page: page of the listing that is refused once with 429 and ``Retry-After``, or 0 for none.
        organization: whether the app is added to the whole organization, which has two workspaces.
        rotates: whether the app has token rotation; without it, all who connect the workspace get the same token.

    Attributes:
        channels: workspace → its channels; a test may change them.
        is_admin: whether the person is an admin of the workspace.

    >>> stand_in = SlackStandIn(setup_url="", callback_url="http://127.0.0.1/callback")
    >>> stand_in.registration("http://127.0.0.1:4000")["base_url"]
    'http://127.0.0.1:4000'
    >>> stand_in.deliveries()[0].title
    'mona writes in #apollo'
    """

    def __init__(
        self,
        *,
        setup_url: str,  # noqa: ARG002 - other providers have a page that needs it
        callback_url: str,
        throttled_page: int = 0,
        organization: bool = False,
        rotates: bool = True,
    ) -> None:
        codes = StandInCodes(callback_url=callback_url)
        self._authorization = Authorization(codes=codes, organization=organization, rotates=rotates)
        self.is_admin = True
        self._throttled_page = throttled_page
        self._organization = organization
        self.channels = documents.workspaces()
        self.application = StandInWeb(
            (
                ("GET", r"/oauth/v2/authorize", self._authorize),
                ("GET", r"/openid/connect/authorize", self._authorize),
                ("GET", r"/openid/connect/keys", self._keys),
                ("POST", r"/api/oauth\.v2\.access", self._exchange),
                ("POST", r"/api/openid\.connect\.token", self._sign_in),
                ("GET", r"/api/auth\.test", self._test),
                ("GET", r"/api/users\.info", self._person),
                ("POST", r"/api/auth\.revoke", self._revoke),
                ("GET", r"/api/auth\.teams\.list", self._teams),
                ("GET", r"/api/conversations\.list", self._conversations),
            ),
            missing=StandInResponse(document=refusal("unknown_method")),
        )

    def registration(self, base_url: str) -> StandInRegistration:
        """Return what the app is registered with, for a stand-in that is served at `base_url`."""
        return StandInRegistration(
            client_id=self._authorization.client_id,
            client_secret=self._authorization.client_secret,
            private_key=None,
            webhook_secrets=(self._authorization.signing_secret,),
            base_url=base_url.rstrip("/"),
            settings={},
        )

    def deliveries(self) -> Sequence[SampleDelivery]:
        """Return the story, whose first event happens in the first channel of the listing."""
        return deliveries(organization=self._organization)

    def uninstall(self) -> None:
        """Take the app away without a word: no delivery reports it."""
        self._authorization.revoke()

    @property
    def renewals(self) -> int:
        """How often a token was renewed."""
        return self._authorization.renewals

    def _authorize(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse.redirect(*self._authorization.authorize(request.query))

    def _keys(self, _: StandInRequest) -> StandInResponse:
        return StandInResponse(document=self._authorization.keys())

    def _exchange(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse(document=self._authorization.exchange(request.form))

    def _sign_in(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse(document=self._authorization.sign_in(request.form, web=request.web))

    def _test(self, request: StandInRequest) -> StandInResponse:
        return self._to_bot(request, documents.identity(request.web, organization=self._organization))

    def _person(self, request: StandInRequest) -> StandInResponse:
        return self._to_bot(request, documents.person(is_admin=self.is_admin))

    def _revoke(self, request: StandInRequest) -> StandInResponse:
        """Answer "auth.revoke", whose token may also be a field of the form."""
        is_done = self._authorization.revoke_one(request.form.get("token") or request.bearer)
        return StandInResponse(document={"ok": True, "revoked": True} if is_done else refusal("invalid_auth"))

    def _teams(self, request: StandInRequest) -> StandInResponse:
        teams = [{"id": team, "name": team} for team in self.channels]
        return self._to_bot(request, {"ok": True, "teams": teams, "response_metadata": {"next_cursor": ""}})

    def _to_bot(self, request: StandInRequest, document: documents.Document) -> StandInResponse:
        known = self._authorization.is_bot(request.bearer)
        return StandInResponse(document=document if known else refusal("invalid_auth"))

    def _conversations(self, request: StandInRequest) -> StandInResponse:
        first = int(request.query.get("cursor", "dXNlcjow:0").rpartition(":")[2])
        size = min(int(request.query.get("limit", DEFAULT_PAGE)), LONGEST_PAGE)
        if first // size + 1 == self._throttled_page:
            self._throttled_page = 0
            wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return StandInResponse(
                status=HTTPStatus.TOO_MANY_REQUESTS, document=refusal("ratelimited"), headers=wait
            )
        team = request.query.get("team_id", "" if self._organization else documents.TEAM_ID)
        if team not in self.channels:
            return StandInResponse(document=refusal("missing_argument"))
        private = "private_channel" in request.query.get("types", "public_channel").split(",")
        shown = [channel for channel in self.channels[team] if private or not channel["is_private"]]
        more = {"next_cursor": f"dXNlcjow:{first + size}" if first + size < len(shown) else ""}
        document = {"ok": True, "channels": shown[first : first + size], "response_metadata": more}
        return self._to_bot(request, document)

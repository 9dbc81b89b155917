"""The stand-in as a WSGI application: pages, the API with its pages of ten, and webhooks that are made and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from speckitty_connectors.standin import (
    SampleDelivery,
    StandInAnswer,
    StandInRegistration,
    StandInRequest,
    StandInResponse,
    StandInWeb,
    StandInWebhook,
    page_of,
)

from ..listing import SIZE_HEADER, TOTAL_HEADER
from ..manifest import SECRET_TOKEN, SIGNING_TOKEN
from . import documents
from .authorization import Authorization
from .documents import Document
from .story import deliveries

LONGEST_PAGE = 10
"""How many entries a page has at most: fewer than GitLab's 100, so that 25 projects take several pages."""

DEFAULT_PAGE = 20
"""How many a page has where the request doesn't say ("REST API": "Pagination")."""

RETRY_AFTER_SECONDS = 1
"""What a throttled request is told to wait."""

UNAUTHORIZED = StandInResponse(status=HTTPStatus.UNAUTHORIZED, document={"message": "401 Unauthorized"})
NOT_FOUND = StandInResponse(status=HTTPStatus.NOT_FOUND, document={"message": "404 Not Found"})

# "User and IP rate limits": the body is plain text.
THROTTLED = StandInResponse(
    status=HTTPStatus.TOO_MANY_REQUESTS,
    text="Retry later\n",
    headers={"Retry-After": str(RETRY_AFTER_SECONDS), "RateLimit-Remaining": "0", "RateLimit-Reset": "1767323045"},
)


class GitLabStandIn:
    """A GitLab of one person, one group with a group in it, and 25 projects.

    Args:
        setup_url: not used: GitLab has no install page.
        callback_url: where the browser lands after an authorisation.
        throttled_page: page of the projects that is refused once, or 0 for none.
        has_group_hooks: whether the plan has webhooks of groups.
        signs: whether the version knows signing tokens.
        now: the present moment; the real one where it isn't given.

    Attributes:
        paths: project's id → path, of those that somebody renamed.
        gone: ids of projects that aren't in the group any more.

    >>> stand_in = GitLabStandIn(setup_url="http://127.0.0.1/setup", callback_url="http://127.0.0.1/callback")
    >>> stand_in.registration("http://127.0.0.1:4000")["webhook_secrets"]
    ()
    >>> stand_in.deliveries()[0].title
    'mona pushes to main'
    """

    def __init__(
        self,
        *,
        setup_url: str,  # noqa: ARG002 - core hands it to every stand-in
        callback_url: str,
        throttled_page: int = 0,
        has_group_hooks: bool = True,
        signs: bool = True,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._callback_url = callback_url
        self._authorization = Authorization(callback_url=callback_url, now=now or partial(datetime.now, UTC))
        self._throttled_page = throttled_page
        self._has_group_hooks = has_group_hooks
        self._signs = signs
        self._web = "https://gitlab.example"
        self._hooks: dict[tuple[str, int], Document] = {}
        self._hooks_made = 0
        self.paths: dict[int, str] = {}
        self.gone: set[int] = set()
        self.application = StandInWeb(
            (
                ("GET", r"/oauth/authorize", self._authorize),
                ("POST", r"/oauth/token", self._exchange),
                ("POST", r"/oauth/revoke", self._revoke),
                *((method, f"/api/v4{pattern}", self._to_user(answer)) for method, pattern, answer in self._api()),
            ),
            missing=NOT_FOUND,
        )

    def _api(self) -> Sequence[tuple[str, str, StandInAnswer]]:
        """Return the routes of the API."""
        owner, hook = r"/(?P<kind>groups|projects)/(?P<id>\d+)/hooks", r"/(?P<hook>\d+)"
        return (
            ("GET", r"/user", self._user),
            ("GET", r"/groups", self._groups),
            ("GET", r"/groups/(?P<id>\d+)", self._group),
            ("GET", r"/groups/(?P<id>\d+)/subgroups", self._subgroups),
            ("GET", r"/groups/(?P<id>\d+)/projects", self._projects),
            ("GET", owner, self._list_hooks),
            ("POST", owner, self._make_hook),
            ("GET", owner + hook, self._read_hook),
            ("PUT", owner + hook, self._change_hook),
            ("DELETE", owner + hook, self._delete_hook),
        )

    def registration(self, base_url: str) -> StandInRegistration:
        """Return what the app is registered with, for a stand-in that is served at `base_url`."""
        self._web = base_url.rstrip("/")
        return StandInRegistration(
            client_id=self._authorization.client_id,
            client_secret=self._authorization.client_secret,
            private_key=None,
            webhook_secrets=(),
            base_url=self._web,
            settings={},
        )

    def deliveries(self) -> Sequence[SampleDelivery]:
        """Return the story, whose first event happens in the first project of the listing."""
        return deliveries(self._web)

    def webhooks(self) -> Sequence[StandInWebhook]:
        """Return the webhooks that were made here, with the secrets that only the provider's side knows."""
        return tuple(
            StandInWebhook(
                url=given["url"],
                secret=given.get("signing_token") or given.get("token") or "",
                scheme=SIGNING_TOKEN if given.get("signing_token") else SECRET_TOKEN,
            )
            for given in self._hooks.values()
        )

    def make_group_token(self) -> str:
        """Return an access token of the group, as an owner makes one."""
        return self._authorization.make_group_token()

    def end_grants(self) -> None:
        """Do what happens when the person is blocked: no token that was given out counts any more."""
        self._authorization.forget()

    def delete_webhooks(self) -> None:
        """Delete all webhooks, as a maintainer may do at any time."""
        self._hooks.clear()

    def _to_user(self, answer: StandInAnswer) -> StandInAnswer:
        """Let only those in who have a live token."""
        return lambda request: answer(request) if self._authorization.is_user(request.bearer) else UNAUTHORIZED

    def _authorize(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse.redirect(self._callback_url, self._authorization.authorize(request.query))

    def _exchange(self, request: StandInRequest) -> StandInResponse:
        status, document = self._authorization.exchange(request.form)
        return StandInResponse(status=status, document=document)

    def _revoke(self, request: StandInRequest) -> StandInResponse:
        self._authorization.revoke(request.form)
        return StandInResponse(document={})

    def _user(self, request: StandInRequest) -> StandInResponse:
        return StandInResponse(document=documents.person(request.web))

    def _groups(self, request: StandInRequest) -> StandInResponse:
        return self._page(request, [documents.group(request.web, each) for each in documents.GROUPS])

    def _group(self, request: StandInRequest) -> StandInResponse:
        group_id = int(request.arguments["id"])
        if group_id not in documents.GROUPS:
            return NOT_FOUND
        return StandInResponse(document=documents.group(request.web, group_id))

    def _subgroups(self, request: StandInRequest) -> StandInResponse:
        inside = [documents.SUBGROUP_ID] if request.arguments["id"] == str(documents.GROUP_ID) else []
        return self._page(request, [documents.group(request.web, each) for each in inside])

    def _projects(self, request: StandInRequest) -> StandInResponse:
        if request.query.get("page", "1") == str(self._throttled_page):
            self._throttled_page = 0
            return THROTTLED
        projects = [documents.project(request.web, index) for index in range(documents.PROJECT_COUNT)]
        return self._page(
            request,
            [
                {**project, "path_with_namespace": self.paths.get(project["id"], project["path_with_namespace"])}
                for project in projects
                if project["id"] not in self.gone
            ],
        )

    def _page(self, request: StandInRequest, entries: Sequence[Document]) -> StandInResponse:
        shown, link = page_of(request, entries, longest=LONGEST_PAGE, default=DEFAULT_PAGE)
        size = min(int(request.query.get("per_page", str(DEFAULT_PAGE))), LONGEST_PAGE)
        counted = {TOTAL_HEADER: str(len(entries)), SIZE_HEADER: str(size)}
        return StandInResponse(document=list(shown), headers={**link, **counted})

    def _list_hooks(self, request: StandInRequest) -> StandInResponse:
        owner = _owner(request.arguments)
        return self._page(
            request, [self._shown(key, given) for key, given in self._hooks.items() if key[0] == owner]
        )

    def _make_hook(self, request: StandInRequest) -> StandInResponse:
        if request.arguments["kind"] == "groups" and not self._has_group_hooks:
            return NOT_FOUND
        given: Document = request.document
        if not self._signs:
            given.pop("signing_token", None)  # an older version leaves unknown fields aside
        self._hooks_made += 1
        key = (_owner(request.arguments), self._hooks_made)
        self._hooks[key] = given
        return StandInResponse(status=HTTPStatus.CREATED, document=self._shown(key, given))

    def _read_hook(self, request: StandInRequest) -> StandInResponse:
        key = (_owner(request.arguments), int(request.arguments["hook"]))
        return StandInResponse(document=self._shown(key, self._hooks[key])) if key in self._hooks else NOT_FOUND

    def _change_hook(self, request: StandInRequest) -> StandInResponse:
        key = (_owner(request.arguments), int(request.arguments["hook"]))
        if key not in self._hooks:
            return NOT_FOUND
        self._hooks[key] |= request.document
        return StandInResponse(document=self._shown(key, self._hooks[key]))

    def _delete_hook(self, request: StandInRequest) -> StandInResponse:
        key = (_owner(request.arguments), int(request.arguments["hook"]))
        if self._hooks.pop(key, None) is None:
            return NOT_FOUND
        return StandInResponse(status=HTTPStatus.NO_CONTENT)

    def _shown(self, key: tuple[str, int], given: Document) -> Document:
        return documents.hook(key[1], given, signs=self._signs)


def _owner(arguments: Mapping[str, str]) -> str:
    return f"{arguments['kind']} {arguments['id']}"

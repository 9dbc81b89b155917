"""What a provider answers in place of the right thing, for a while."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from attrs import Factory, define, evolve

from speckitty_connectors.standin import StandInRequest, StandInResponse


class Trouble(StrEnum):
    """One answer, right or wrong."""

    RIGHT = "right"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    THROTTLED = "429"
    UNAVAILABLE = "503"
    TIME_OUT = "no answer"
    EMPTY = "empty"
    SHORT = "short"
    DRIFTING = "drifting"
    ODD = "odd fields"


STATUSES = {
    Trouble.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Trouble.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Trouble.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Trouble.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    Trouble.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

CODES = {
    Trouble.UNAUTHORIZED: "invalid_auth",
    Trouble.FORBIDDEN: "access_denied",
    Trouble.NOT_FOUND: "team_not_found",
    Trouble.THROTTLED: "ratelimited",
    Trouble.UNAVAILABLE: "internal_error",
}
"""How Slack says the same, with status 200."""

TOKENS = ("/oauth/token", "/oauth.v2.access", "/access_tokens")
"""Where tokens are given out: what is given there and lost is lost at any provider, so none is given in trouble."""


@define
class Weather:
    """Answers requests by a list of troubles, one after the other and again; rightly where there is none."""

    troubles: Sequence[Trouble] = ()
    slack: bool = False
    happened: list[Trouble] = Factory(list)

    def __call__(self, request: StandInRequest, stand_in: Callable[[], StandInResponse]) -> StandInResponse | None:
        """Answer a request of the API; a person's own pages are always well."""
        trouble = self.troubles[len(self.happened) % len(self.troubles)] if self.troubles else Trouble.RIGHT
        self.happened.append(trouble)
        if trouble is Trouble.RIGHT:
            return stand_in()
        if trouble in STATUSES:
            return self._refused(trouble)
        if trouble is Trouble.TIME_OUT:
            return None
        if trouble is not Trouble.ODD and (
            request.path.endswith(TOKENS) or request.method not in _reading(request)
        ):
            return self._refused(Trouble.UNAVAILABLE)
        return _changed(trouble, stand_in())

    def _refused(self, trouble: Trouble) -> StandInResponse:
        headers = {"Retry-After": "1"} if trouble is Trouble.THROTTLED else {}
        if self.slack and trouble is not Trouble.THROTTLED:
            return StandInResponse(document={"ok": False, "error": CODES[trouble]})
        return StandInResponse(status=STATUSES[trouble], document={"message": trouble.value}, headers=headers)


def _reading(request: StandInRequest) -> tuple[str, ...]:
    return ("GET", "POST") if request.path.endswith("/graphql") else ("GET",)


def _changed(trouble: Trouble, response: StandInResponse) -> StandInResponse:
    """Return a right answer as it shouldn't be."""
    document = json.loads(json.dumps(response.document))
    match trouble:
        case Trouble.EMPTY:
            return evolve(response, document=_cut(document, lambda entries: []), headers={})
        case Trouble.SHORT:
            return evolve(
                response, document=_cut(document, lambda entries: entries[: len(entries) // 2]), headers={}
            )
        case Trouble.DRIFTING:
            return evolve(response, document=_map(document, lambda entries: entries[1:]))
        case _:
            return evolve(response, document=_odd(document))


def _map(value: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    if isinstance(value, list):
        return change([_map(each, change) for each in value])
    return {name: _map(each, change) for name, each in value.items()} if isinstance(value, dict) else value


def _cut(value: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    """Cut every list, and say that nothing follows."""
    ends = {"isLast": True, "is_last": True, "hasNextPage": False, "next_cursor": ""}
    if isinstance(value, dict):
        return {name: ends.get(name, _cut(each, change)) for name, each in value.items()}
    return change([_cut(each, change) for each in value]) if isinstance(value, list) else value


def _odd(value: Any) -> Any:
    if isinstance(value, list):
        return [_odd(each) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _odd(each) for name, each in value.items() if name not in {"scope", "token_type"}}
    return {name: f"{each}.0" if name == "expires_in" else each for name, each in changed.items()}

"""Sessions: what an answer's status becomes, who is asked again and when, and which links are followed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
import responses
from attrs import evolve

from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.http.egress import origin_of
from speckitty_connectors.http.session import Transport, TransportSession
from speckitty_connectors.providers.api import (
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiSession,
    ApiThrottledError,
    ApiUnauthorizedError,
    ApiUnavailableError,
    EgressRefusedError,
)
from speckitty_connectors.providers.manifest import Budget, RateLimitDialect, ResetUnit
from testbed.clock import FrozenClock

ROOT = "https://api.example/v3"
DIALECT = RateLimitDialect(
    conditional_statuses=frozenset({403}),
    remaining="x-ratelimit-remaining",
    reset="x-ratelimit-reset",
    error_code="RATELIMITED",
)
BODY = "what the provider said to nobody but us"


class Sleeper:
    """Remembers how long it was asked to sleep, and moves a clock on instead."""

    def __init__(self, clock: FrozenClock) -> None:
        self.slept: list[float] = []
        self._clock = clock

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._clock.advance(seconds)


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    """Answers in place of the network; every answer given to it must be fetched."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def sleeper(clock: FrozenClock) -> Sleeper:
    return Sleeper(clock)


def open_session(
    sleeper: Sleeper, clock: FrozenClock, *, transport: Transport | None = None, **options: object
) -> TransportSession:
    transport = transport or Transport(clock=clock, sleep=sleeper, patience_seconds=600)
    settings: dict[str, object] = {"dialect": DIALECT, "headers": {}, "subject": "acme installation 7", **options}
    return TransportSession(transport, root=ROOT, authorization=lambda: "Bearer t", **settings)  # type: ignore[arg-type]  # tests name what they need


@pytest.fixture
def session(sleeper: Sleeper, clock: FrozenClock) -> ApiSession:
    return open_session(sleeper, clock)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, ApiUnauthorizedError, "api_unauthorized"),
        (403, ApiForbiddenError, "api_forbidden"),
        (404, ApiNotFoundError, "api_not_found"),
        (410, ApiNotFoundError, "api_not_found"),
        (400, ApiError, "api"),
        (422, ApiError, "api"),
        (302, ApiError, "api"),
        (500, ApiUnavailableError, "api_unavailable"),
        (503, ApiUnavailableError, "api_unavailable"),
        (429, ApiThrottledError, "api_throttled"),
    ],
)
def test_each_status_has_its_error(
    status: int, error: type[ApiError], code: str, api: responses.RequestsMock, session: ApiSession
) -> None:
    """An error names status, method, host, subject and remedy, and nothing of the body or the path."""
    headers = {"retry-after": "9999"} if status == 429 else {}
    api.post(f"{ROOT}/secret-path", status=status, json={"message": BODY}, headers=headers)
    with pytest.raises(error) as caught:
        session.post("/secret-path")
    assert (type(caught.value), caught.value.status, caught.value.code) == (error, status, code)
    assert str(caught.value).startswith(f"POST to api.example answered {status} · acme installation 7 · ")
    assert caught.value.remedy
    assert BODY not in str(caught.value)
    assert "secret-path" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 304])
def test_good_answers_are_returned(status: int, api: responses.RequestsMock, session: ApiSession) -> None:
    """2xx and 304 aren't errors."""
    api.get(f"{ROOT}/boards", status=status, headers={"ETag": "x"})
    answer = session.get("/boards")
    assert (answer.status, answer.headers["etag"], answer.headers["ETAG"]) == (status, "x", "x")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"\xff", b"[" * 100_000])
def test_an_answer_that_is_not_json_is_a_typed_error(
    body: bytes, api: responses.RequestsMock, session: ApiSession
) -> None:
    """Asking a broken body for its document raises our error, whatever is broken about it."""
    api.get(f"{ROOT}/boards", body=body)
    with pytest.raises(ApiError, match="isn't JSON"):
        session.get("/boards").json()


def test_a_get_that_fails_for_the_moment_is_tried_three_times(
    api: responses.RequestsMock, session: ApiSession, sleeper: Sleeper
) -> None:
    """5xx answers are followed by growing waits, then by the answer."""
    for status in (500, 503, 200):
        api.get(f"{ROOT}/boards", status=status, json=[])
    assert session.get("/boards").json() == []
    assert sleeper.slept == [0.5, 1.0]


def test_a_get_that_keeps_failing_ends(api: responses.RequestsMock, session: ApiSession, sleeper: Sleeper) -> None:
    """After the third failure the error is raised."""
    answers = [api.get(f"{ROOT}/boards", status=502) for _ in range(3)]
    with pytest.raises(ApiUnavailableError):
        session.get("/boards")
    assert [answer.call_count for answer in answers] == [1, 1, 1]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_change_is_not_repeated_when_its_fate_is_unknown(
    method: str, api: responses.RequestsMock, session: ApiSession
) -> None:
    """After a 5xx nobody knows whether a change was made, so it isn't sent again."""
    answer = api.add(method.upper(), f"{ROOT}/boards", status=500)
    with pytest.raises(ApiUnavailableError):
        getattr(session, method)("/boards")
    assert answer.call_count == 1


def throttled(api: responses.RequestsMock, *answers: tuple[int, dict[str, str]]) -> None:
    for status, headers in answers:
        api.post(f"{ROOT}/boards", status=status, headers=headers)


NOW = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"retry-after": "7"}, 7),
        (403, {"retry-after": "7"}, 7),
        (429, {"Retry-After": "7", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH + 90)}, 7),
        (429, {"retry-after": format_datetime(NOW.replace(second=9), usegmt=True)}, 9),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 90)}, 90),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 90)}, 90),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH - 5)}, 0),
        (403, {"x-ratelimit-remaining": "0"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 40}, 60),
        (429, {"x-ratelimit-remaining": "5", "x-ratelimit-reset": str(EPOCH + 90)}, 60),
        (429, {}, 60),
        (429, {"retry-after": "soon"}, 60),
        (429, {"retry-after": "-3"}, 60),
    ],
)
def test_throttling_is_waited_out_in_the_documented_order(
    status: int,
    headers: dict[str, str],
    wait: float,
    api: responses.RequestsMock,
    session: ApiSession,
    sleeper: Sleeper,
) -> None:
    """First retry-after, then the end of an exhausted window, else a minute; also for a change."""
    throttled(api, (status, headers), (201, {}))
    assert session.post("/boards").status == 201
    assert sleeper.slept == [wait]


def test_a_plain_403_is_not_throttling(api: responses.RequestsMock, session: ApiSession, sleeper: Sleeper) -> None:
    """A 403 without a hint of a limit says that it isn't allowed, and waiting wouldn't help."""
    throttled(api, (403, {"x-ratelimit-remaining": "10", "x-ratelimit-reset": str(EPOCH + 90)}))
    with pytest.raises(ApiForbiddenError):
        session.post("/boards")
    assert sleeper.slept == []


def test_an_unexplained_429_is_waited_out_longer_each_time(
    api: responses.RequestsMock, session: ApiSession, sleeper: Sleeper
) -> None:
    """Where nothing is said, the waits double, and the next that patience doesn't cover is raised."""
    throttled(api, *[(429, {})] * 4)
    with pytest.raises(ApiThrottledError) as caught:
        session.post("/boards")
    assert sleeper.slept == [60, 120, 240]
    assert caught.value.retry_after_seconds == 480


def test_a_call_is_throttled_five_times_at_most(
    api: responses.RequestsMock, session: ApiSession, sleeper: Sleeper
) -> None:
    """Even short waits come to an end, because calling on while limited may get the app banned."""
    throttled(api, *[(429, {"retry-after": "1"})] * 5)
    with pytest.raises(ApiThrottledError):
        session.post("/boards")
    assert sleeper.slept == [1, 1, 1, 1]


@pytest.mark.parametrize("wait", ["601", "9999999999999999"])
def test_a_longer_wait_than_the_patience_is_raised_at_once(
    wait: str, api: responses.RequestsMock, session: ApiSession, sleeper: Sleeper
) -> None:
    """The caller hears how long it would be, and no time is lost."""
    throttled(api, (429, {"retry-after": wait}))
    with pytest.raises(ApiThrottledError) as caught:
        session.post("/boards")
    assert sleeper.slept == []
    assert caught.value.retry_after_seconds == min(int(wait), 7 * 24 * 3600)
    assert caught.value.retryable


@pytest.mark.parametrize("status", [200, 400])
def test_throttling_may_hide_in_another_status(
    status: int, api: responses.RequestsMock, session: ApiSession, sleeper: Sleeper
) -> None:
    """The error code that the manifest names means throttling whatever the status is."""
    body = json.dumps({"errors": [{"message": "slow", "extensions": {"code": "RATELIMITED"}}]})
    api.post(f"{ROOT}/graphql", status=status, body=body, headers={"retry-after": "3"})
    api.post(f"{ROOT}/graphql", json={"data": {}})
    assert session.post("/graphql").json() == {"data": {}}
    assert sleeper.slept == [3]


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        (ResetUnit.EPOCH_SECONDS, str(EPOCH + 30)),
        (ResetUnit.EPOCH_MILLISECONDS, str(1000 * EPOCH + 30_000)),
        (ResetUnit.ISO_8601, "2026-01-01T00:00:30Z"),
        (ResetUnit.ISO_8601, "2026-01-01T01:00:30+01:00"),
        (ResetUnit.ISO_8601, "2026-01-01T00:00:30"),
    ],
)
def test_the_end_of_a_window_is_read_in_the_manifests_unit(
    unit: ResetUnit, value: str, api: responses.RequestsMock, sleeper: Sleeper, clock: FrozenClock
) -> None:
    """Seconds, milliseconds and ISO 8601 name the same moment."""
    dialect = RateLimitDialect(remaining="left", reset="end", reset_unit=unit)
    throttled(api, (429, {"left": "0", "end": value}), (200, {}))
    open_session(sleeper, clock, dialect=dialect).post("/boards")
    assert sleeper.slept == [30]


@pytest.mark.parametrize(
    ("left", "waited"), [(("0", "5"), 30), (("5", "0"), 90), (("0", "0"), 90), (("5", "5"), 60), (("0", ""), 30)]
)
def test_of_several_limits_the_latest_end_counts(
    left: tuple[str, str], waited: int, api: responses.RequestsMock, sleeper: Sleeper, clock: FrozenClock
) -> None:
    """Those of which something is left don't matter; where none is used up, the fallback holds."""
    dialect = RateLimitDialect(
        remaining="calls-left",
        reset="calls-end",
        further_limits={"points-left": "points-end", "more-left": "more-end"},
    )
    headers = {"calls-left": left[0], "calls-end": str(EPOCH + 30), "points-end": str(EPOCH + 90)}
    throttled(api, (429, {**headers, "points-left": left[1]}), (200, {}))
    open_session(sleeper, clock, dialect=dialect).post("/boards")
    assert sleeper.slept == [waited]


def test_pages_are_followed_by_the_link_header(api: responses.RequestsMock, session: ApiSession) -> None:
    """The next page's URL comes from the answer, relative or not, and is empty on the last one."""
    api.get(f"{ROOT}/boards", headers={"Link": f'<{ROOT}/boards?page=2>; rel="next", <{ROOT}/x>; rel="last"'})
    api.get(f"{ROOT}/boards?page=2", headers={"Link": '</v3/boards?page=3>; rel="prev next"'})
    api.get(f"{ROOT}/boards?page=3", headers={"Link": f'<{ROOT}/boards>; rel="first"'})
    url, seen = "/boards", []
    while url:
        seen.append(url)
        url = session.get(url).next_link
    assert seen == ["/boards", f"{ROOT}/boards?page=2", f"{ROOT}/boards?page=3"]


FOREIGN = [
    "https://evil.example/x",
    "https://api.example:8443/x",
    "http://api.example/x",
    "//evil.example/x",
    "https://api.example@evil.example/x",
    "https://api.example.evil.example/x",
    "https:\\\\evil.example/x",
    "ftp://api.example/x",
    "https://[evil.example/x",
    "//[x",
    "https://api.example\u2100/x",
    "https://api.example\u3002evil.example/x",
]


@pytest.mark.parametrize("link", FOREIGN)
def test_a_next_link_never_leads_to_another_origin(
    link: str, api: responses.RequestsMock, session: ApiSession
) -> None:
    """Whatever host a page names, the next one is asked of the origin that answered, or of none."""
    api.get(f"{ROOT}/boards", headers={"Link": f'<{link}>; rel="next"'})
    answer = session.get("/boards")
    try:
        followed = answer.next_link
    except EgressRefusedError:
        return
    assert origin_of(followed) == origin_of(ROOT)


def test_a_next_link_behind_a_proxy_keeps_its_path_and_query(
    api: responses.RequestsMock, session: ApiSession
) -> None:
    """A self-managed host that calls itself by its inner scheme, host and port is still asked where we know it."""
    api.get(f"{ROOT}/boards", headers={"Link": '<http://inner:8080/root/boards?page=2&q=a%2Fb>; rel="next"'})
    assert session.get("/boards").next_link == "https://api.example/root/boards?page=2&q=a%2Fb"


LINKS = {
    "quoted": '<{0}>; title="a; b, <c>; rel=prev"; rel="next"',
    "unquoted": "<{0}>; rel=next",
    "capitals": '<{0}>; REL="NEXT"',
    "several": '<{0}>; rel="last next"',
    "spaces": '<{0}> ;  rel = "next"',
    "second": '<https://api.example/first>; rel="first"; title="x, y", <{0}>; rel="next"',
}


@pytest.mark.parametrize("header", LINKS.values(), ids=LINKS)
def test_a_link_header_is_read_however_it_is_written(
    header: str, api: responses.RequestsMock, session: ApiSession
) -> None:
    """Quoted separators, bare values and capitals are what RFC 8288 allows."""
    api.get(f"{ROOT}/boards", headers={"Link": header.format(f"{ROOT}/boards?page=2")})
    assert session.get("/boards").next_link == f"{ROOT}/boards?page=2"


@pytest.mark.parametrize("header", ['<x>; rel="prev"', '<x>; title="rel=next"', "<x>; rel", "", '<x>; xrel="next"'])
def test_no_next_link_is_empty(header: str, api: responses.RequestsMock, session: ApiSession) -> None:
    """Where no link is the next one, there is none."""
    api.get(f"{ROOT}/boards", headers={"Link": header})
    assert session.get("/boards").next_link == ""


@pytest.mark.parametrize("link", FOREIGN)
def test_a_redirect_to_another_origin_is_refused(
    link: str, api: responses.RequestsMock, session: ApiSession
) -> None:
    """Another host, port or scheme never sees the request."""
    api.get(f"{ROOT}/boards", status=302, headers={"Location": link})
    with pytest.raises(EgressRefusedError):
        session.get("/boards")


@pytest.mark.parametrize("url", [*FOREIGN[:3], FOREIGN[4], "boards", "", "\\boards"])
def test_a_url_of_another_origin_is_refused(url: str, session: ApiSession) -> None:
    """A plugin can't send the credential elsewhere."""
    with pytest.raises(EgressRefusedError):
        session.get(url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_get_follows_redirects_inside_the_origin(
    status: int, api: responses.RequestsMock, session: ApiSession
) -> None:
    """A renamed resource is found at its new place, with the credential and the headers."""
    api.get(f"{ROOT}/repos/old", status=status, headers={"Location": "/v3/repositories/1"})
    api.get(f"{ROOT}/repositories/1", json={"id": 1})
    assert session.get("/repos/old").json() == {"id": 1}
    assert api.calls[1].request.headers["Authorization"] == "Bearer t"


def test_a_chain_of_redirects_ends(api: responses.RequestsMock, session: ApiSession) -> None:
    """After three redirects the fourth is an error."""
    circle = api.get(f"{ROOT}/boards", status=302, headers={"Location": "/v3/boards"})
    with pytest.raises(ApiError) as caught:
        session.get("/boards")
    assert (caught.value.status, circle.call_count) == (302, 4)


def test_a_change_follows_no_redirect(api: responses.RequestsMock, session: ApiSession) -> None:
    """A POST that is redirected is an error, because it would be repeated."""
    api.post(f"{ROOT}/boards", status=307, headers={"Location": "/v3/other"})
    with pytest.raises(ApiError) as caught:
        session.post("/boards")
    assert caught.value.status == 307


def test_a_refused_credential_is_told(api: responses.RequestsMock, sleeper: Sleeper, clock: FrozenClock) -> None:
    """Whoever caches the credential hears of the 401, and only of that."""
    told: list[str] = []

    def dropped() -> bool:
        told.append("401")
        return False

    session = open_session(sleeper, clock, on_unauthorized=dropped)
    for status in (403, 401):
        api.get(f"{ROOT}/{status}", status=status)
        with pytest.raises(ApiError):
            session.get(f"/{status}")
    assert told == ["401"]


def test_a_request_is_sent_again_with_another_credential(
    api: responses.RequestsMock, sleeper: Sleeper, clock: FrozenClock
) -> None:
    """Where there is another credential after a 401, any request is sent again with it, but only once."""
    refused = api.post(f"{ROOT}/boards", status=401)
    session = open_session(sleeper, clock, on_unauthorized=lambda: True)
    with pytest.raises(ApiUnauthorizedError):
        session.post("/boards")
    assert refused.call_count == 2


def test_a_post_that_only_reads_is_sent_again(api: responses.RequestsMock, session: ApiSession) -> None:
    """A query is tried again after a gateway's error, as a GET is."""
    failed = api.post(f"{ROOT}/graphql", status=502)
    answered = api.post(f"{ROOT}/graphql", json={})
    session.query("/graphql", document={"query": "query {}"})
    assert (failed.call_count, answered.call_count) == (1, 1)


def test_a_post_that_changes_something_is_sent_once(api: responses.RequestsMock, session: ApiSession) -> None:
    """What became of a mutation after a gateway's error isn't known, so it isn't sent again."""
    failed = api.post(f"{ROOT}/graphql", status=502)
    with pytest.raises(ApiUnavailableError):
        session.post("/graphql", document={"query": "mutation {}"})
    assert failed.call_count == 1


SECONDARY = '{"message": "You have exceeded a Secondary Rate Limit. Please wait a few minutes."}'


def test_a_limit_that_only_a_body_tells_is_waited_out(
    api: responses.RequestsMock, sleeper: Sleeper, clock: FrozenClock
) -> None:
    """A refusal whose body names the limit isn't a missing permission, whatever is left of the quota."""
    dialect = evolve(DIALECT, phrases=("secondary rate limit",))
    api.get(f"{ROOT}/boards", status=403, body=SECONDARY, headers={"x-ratelimit-remaining": "4310"})
    api.get(f"{ROOT}/boards", json=[])
    assert open_session(sleeper, clock, dialect=dialect).get("/boards").json() == []
    assert sleeper.slept == [60]


def test_a_refusal_without_the_phrase_is_a_missing_permission(
    api: responses.RequestsMock, sleeper: Sleeper, clock: FrozenClock
) -> None:
    """A 403 that tells of no limit stays what it is, at once."""
    dialect = evolve(DIALECT, phrases=("secondary rate limit",))
    api.get(f"{ROOT}/boards", status=403, body='{"message": "Resource not accessible by integration"}')
    with pytest.raises(ApiForbiddenError):
        open_session(sleeper, clock, dialect=dialect).get("/boards")
    assert sleeper.slept == []


def test_logs_name_neither_path_nor_credential(
    api: responses.RequestsMock, session: ApiSession, caplog: pytest.LogCaptureFixture
) -> None:
    """What is logged is the method, the status and whom it was for."""
    caplog.set_level(logging.DEBUG)
    api.get(f"{ROOT}/private-path", status=500)
    api.get(f"{ROOT}/private-path", status=200)
    session.get("/private-path", parameters={"q": "private-query"})
    own = [record.getMessage() for record in caplog.records if record.name.startswith("speckitty")]
    assert any("answered 200" in line for line in own)
    assert not any("private" in line or "Bearer" in line for line in own)


@pytest.mark.parametrize(
    ("limit", "waiting"), [("everybody", {"7", "8"}), ("this-account", {"7"}), ("burst", set()), ("", set())]
)
def test_who_shares_a_used_up_budget_waits_without_asking(
    api: responses.RequestsMock, sleeper: Sleeper, clock: FrozenClock, limit: str, waiting: set[str]
) -> None:
    """What one call is told holds for all whose requests the limit counts, and for nobody else."""
    dialect = RateLimitDialect(
        budget_header="x-limit", budgets={"everybody": Budget.APP, "this-account": Budget.ACCOUNT}
    )
    impatient = Transport(clock=clock, sleep=sleeper, patience_seconds=10)

    def speak(account: str) -> TransportSession:
        budgets = {Budget.APP: "app", Budget.ACCOUNT: account}
        return open_session(sleeper, clock, transport=impatient, dialect=dialect, budgets=budgets)

    api.get(f"{ROOT}/boards", status=429, headers={"Retry-After": "60", "X-Limit": limit})
    with pytest.raises(ApiThrottledError):
        speak("7").get("/boards")
    api.replace("GET", f"{ROOT}/boards", json=[])
    for account in ("7", "8"):
        asked = len(api.calls)
        with pytest.raises(ApiThrottledError) if account in waiting else nullcontext():
            speak(account).get("/boards")
        assert len(api.calls) == asked + (account not in waiting)
    clock.advance(60)
    assert speak("7").get("/boards").status == 200


def test_a_call_waits_for_the_end_of_a_shared_budget(
    api: responses.RequestsMock, sleeper: Sleeper, clock: FrozenClock
) -> None:
    """Where the patience allows it, the pause is slept out and the call sent once."""
    transport = Transport(clock=clock, sleep=sleeper, patience_seconds=600)
    transport.pauses.note("app", 30, clock())
    api.get(f"{ROOT}/boards", json=[])
    open_session(sleeper, clock, transport=transport, budgets={Budget.APP: "app"}).get("/boards")
    assert (sleeper.slept, len(api.calls)) == ([30.0], 1)


def test_a_secret_in_a_document_is_written_on_the_wire_alone(
    api: responses.RequestsMock, session: ApiSession
) -> None:
    """Who hands it on never sees it; what else a document can't hold is refused before anything is sent."""
    api.post(f"{ROOT}/hooks", json={})
    document = {"secret": Secret("a webhook secret of ours")}
    session.post("/hooks", document=document)
    assert api.calls[0].request.body == b'{"secret":"a webhook secret of ours"}'
    assert "webhook secret" not in repr(document)
    with pytest.raises(TypeError):
        session.post("/hooks", document={"secret": object()})
    assert len(api.calls) == 1

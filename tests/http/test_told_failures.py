"""Failures that a provider tells in the document while the status says that all is well."""

from __future__ import annotations

import pytest
import responses

from speckitty_connectors import ApiError, ApiForbiddenError, ApiNotFoundError, ApiUnauthorizedError
from speckitty_connectors.http.session import Transport, TransportSession
from speckitty_connectors.plugin import FailureDialect, RateLimitDialect
from testbed.clock import FrozenClock

ROOT = "https://api.example"
DIALECT = FailureDialect(
    success_field="ok",
    statuses={"revoked": 401, "missing_scope": 403, "gone": 404, "ratelimited": 429, "busy": 503},
)


def open_session(clock: FrozenClock, slept: list[float], dropped: list[bool]) -> TransportSession:
    def drop() -> bool:
        dropped.append(True)
        return False

    return TransportSession(
        Transport(clock=clock, sleep=slept.append),
        root=ROOT,
        authorization=lambda: "Bearer t",
        dialect=RateLimitDialect(fallback_seconds=30),
        headers={},
        subject="acme installation 7",
        failures=DIALECT,
        on_unauthorized=drop,
    )


@pytest.mark.parametrize(
    ("told", "error", "status"),
    [
        ("revoked", ApiUnauthorizedError, 401),
        ("missing_scope", ApiForbiddenError, 403),
        ("gone", ApiNotFoundError, 404),
        ("never heard of", ApiError, 400),
        (None, ApiError, 400),
    ],
)
def test_a_told_failure_is_the_error_of_the_status_that_says_the_same(
    clock: FrozenClock, told: str | None, error: type[ApiError], status: int
) -> None:
    """Known codes become their errors, any other code a plain one; a refused credential is dropped as for 401."""
    dropped: list[bool] = []
    with responses.RequestsMock() as api:
        api.get(f"{ROOT}/x", json={"ok": False, "error": told})
        with pytest.raises(ApiError) as caught:
            open_session(clock, [], dropped).get("/x")
    assert (type(caught.value), caught.value.status) == (error, status)
    assert dropped == [True] * (status == 401)


@pytest.mark.parametrize("document", ['{"ok": true}', '{"ok": 0}', "{}", "[]", "no JSON"])
def test_everything_else_is_a_good_answer(clock: FrozenClock, document: str) -> None:
    """Only a member that is exactly false tells a failure."""
    with responses.RequestsMock() as api:
        api.get(f"{ROOT}/x", body=document)
        assert open_session(clock, [], []).get("/x").status == 200


def test_told_throttling_is_waited_out(clock: FrozenClock) -> None:
    """It is waited out by the dialect's fallback, or by what the header says; a told outage is tried again."""
    slept: list[float] = []
    with responses.RequestsMock() as api:
        api.get(f"{ROOT}/x", json={"ok": False, "error": "ratelimited"})
        api.get(f"{ROOT}/x", json={"ok": False, "error": "ratelimited"}, headers={"Retry-After": "7"})
        api.get(f"{ROOT}/x", json={"ok": False, "error": "busy"})
        api.get(f"{ROOT}/x", json={"ok": True})
        assert open_session(clock, slept, []).get("/x").status == 200
    assert slept[:2] == [30.0, 7.0]
    assert len(slept) == 3


def test_a_status_that_tells_a_failure_is_believed(clock: FrozenClock) -> None:
    """The document of a failed answer can't make it a success, nor another failure."""
    with responses.RequestsMock() as api:
        api.get(f"{ROOT}/x", status=404, json={"ok": False, "error": "revoked"})
        with pytest.raises(ApiNotFoundError):
            open_session(clock, [], []).get("/x")


GRAPHQL = FailureDialect(errors_field="errors", statuses={"AUTHENTICATION_ERROR": 401, "FORBIDDEN": 403})


def asked(status: int, document: object) -> ApiError | None:
    """Ask an API whose failures are lists of errors; return the error, if there was one."""
    session = TransportSession(
        Transport(),
        root=ROOT,
        authorization=lambda: "Bearer t",
        dialect=RateLimitDialect(),
        headers={},
        subject="acme installation 7",
        failures=GRAPHQL,
    )
    with responses.RequestsMock() as api:
        api.post(f"{ROOT}/graphql", json=document, status=status)
        try:
            session.post("/graphql", document={"query": "{ viewer { id } }"})
        except ApiError as error:
            return error
    return None


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("extensions", "error", "meant"),
    [
        ({"code": "AUTHENTICATION_ERROR"}, ApiUnauthorizedError, 401),
        ({"code": "FORBIDDEN"}, ApiForbiddenError, 403),
        ({"code": "INPUT_ERROR"}, ApiError, 400),
        ({"code": 7}, ApiError, 400),
        ({}, ApiError, 400),
        (None, ApiError, 400),
    ],
)
def test_a_list_of_errors_is_a_failure_whatever_data_are_beside_it(
    status: int, extensions: object, error: type[ApiError], meant: int
) -> None:
    """GraphQL answers 200 with some of the data, or a bare 400: the first error's code says which failure it is."""
    found = asked(status, {"data": {"viewer": None}, "errors": [{"message": "no", "extensions": extensions}]})
    assert (type(found), found.status if found else 0) == (error, meant)


@pytest.mark.parametrize("errors", [[], None, "none", {}])
def test_no_errors_are_no_failure(errors: object) -> None:
    """A member that lists nothing, or isn't a list, tells of no failure."""
    assert asked(200, {"data": {}, "errors": errors}) is None

"""Webhooks that the app registers: one for all mapped projects, its errors read, and its end put off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    ApiError,
    App,
    Refused,
    ResourceReference,
    Subscribed,
    Subscription,
    SubscriptionScope,
    SubscriptionStep,
    Unsubscribed,
)
from speckitty_connectors_jira import plugin

URL = "https://saas.example/webhooks/jira/e1"
POST, PUT, DELETE = "POST /rest/api/3/webhook", "PUT /rest/api/3/webhook/refresh", "DELETE /rest/api/3/webhook"
GET = "GET /rest/api/3/webhook"
JQL = "project IN (10001, 10002)"
END = {"expirationDate": "2026-02-01T03:04:05.000+0000"}
EXPIRES = datetime(2026, 2, 1, 3, 4, 5, tzinfo=UTC)
PROJECTS = tuple(ResourceReference(kind="project", id=each, key="K") for each in ("10001", "10002"))

Subscribe = Callable[..., Any]


@pytest.fixture
def subscribe(app: App) -> Subscribe:
    """Do one step about the webhook of a site."""

    def step(which: SubscriptionStep, session: Any, **fields: Any) -> Any:
        given: dict[str, Any] = {"app": app, "account": Account(id="c1"), "resources": PROJECTS, **fields}
        scope = SubscriptionScope.RESOURCES
        return plugin.subscribe(Subscription(step=which, session=session, scope=scope, url=URL, **given))

    return step


def listed(*webhooks: dict[str, Any], is_last: bool = True) -> dict[str, Any]:
    return {"values": list(webhooks), "startAt": 0, "maxResults": 100, "total": 1, "isLast": is_last}


def test_one_webhook_is_registered_for_all_mapped_projects(
    subscribe: Subscribe, session: Callable[..., Any]
) -> None:
    """The filter names them by their ids, which no rename changes; its end is read back."""
    answers = {
        POST: {"webhookRegistrationResult": [{"createdWebhookId": 7}]},
        GET: listed({"id": 7, "jqlFilter": JQL, "events": [], **END}),
    }
    jira = session(answers)
    assert subscribe(SubscriptionStep.REGISTER, jira) == Subscribed(registration="7", expires_at=EXPIRES)
    _, document = jira.asked[0]
    assert document["url"] == URL
    assert [each["jqlFilter"] for each in document["webhooks"]] == [JQL]


@pytest.mark.parametrize(
    ("results", "said"),
    [([{"errors": ["The field project is not supported."]}], "field project is not supported"), ([], "no reason")],
)
def test_errors_inside_a_good_answer_are_refusals(
    subscribe: Subscribe, session: Callable[..., Any], results: list[Any], said: str
) -> None:
    """Jira answers 200 also where nothing was registered; its words are told."""
    answer = subscribe(SubscriptionStep.REGISTER, session({POST: {"webhookRegistrationResult": results}}))
    assert isinstance(answer, Refused)
    assert (answer.code, said in answer.reason) == ("not_registered", True)


@pytest.mark.parametrize(("registration", "found"), [("7", True), ("", True), ("8", False)])
def test_a_webhook_is_found_by_its_id_or_by_its_filter(
    subscribe: Subscribe, session: Callable[..., Any], registration: str, found: bool
) -> None:
    """Where a crash left no id, the filter tells ours; one that isn't listed is gone."""
    other = {"id": 5, "jqlFilter": "project IN (1)", **END}
    jira = session({GET: listed(other, {"id": 7, "jqlFilter": JQL, **END})})
    answer = subscribe(SubscriptionStep.CHECK, jira, registration=registration)
    assert isinstance(answer, Subscribed if found else Unsubscribed)


def test_an_end_in_milliseconds_is_read_too(subscribe: Subscribe, session: Callable[..., Any]) -> None:
    """The description gives the date no type."""
    jira = session({GET: listed({"id": 7, "jqlFilter": JQL, "expirationDate": 1_769_915_045_000})})
    assert subscribe(SubscriptionStep.CHECK, jira, registration="7").expires_at == EXPIRES


def test_a_renewal_is_believed_once_it_is_read_back(subscribe: Subscribe, session: Callable[..., Any]) -> None:
    """Jira passes over unknown ids without a word, so a webhook that isn't listed is gone after all."""
    there = session({PUT: END, GET: listed({"id": 7, "jqlFilter": JQL, **END})})
    assert subscribe(SubscriptionStep.RENEW, there, registration="7").expires_at == EXPIRES
    assert there.asked[0] == (PUT, {"webhookIds": [7]})
    gone = session({PUT: END, GET: listed()})
    assert isinstance(subscribe(SubscriptionStep.RENEW, gone, registration="7"), Unsubscribed)


def test_a_webhook_is_removed_by_its_id(subscribe: Subscribe, session: Callable[..., Any]) -> None:
    """The id goes into the document of the request."""
    jira = session({DELETE: None})
    assert subscribe(SubscriptionStep.REMOVE, jira, registration="7") == Unsubscribed()
    assert jira.asked == [(DELETE, {"webhookIds": [7]})]


def test_data_center_has_none_of_them(subscribe: Subscribe, server_app: App, session: Callable[..., Any]) -> None:
    """There an administrator enters a webhook; the refusal says how."""
    answer = subscribe(SubscriptionStep.REGISTER, session({}), app=server_app)
    assert isinstance(answer, Refused)
    assert answer.code == "by_hand"


@pytest.mark.parametrize("document", [[], {"values": [{}]}, {"isLast": True}])
def test_an_answer_of_another_shape_is_an_api_error(
    subscribe: Subscribe, session: Callable[..., Any], document: object
) -> None:
    """A list that isn't the documented answer takes no webhook for missing."""
    with pytest.raises(ApiError, match="isn't what its documentation says"):
        subscribe(SubscriptionStep.CHECK, session({GET: document}), registration="7")

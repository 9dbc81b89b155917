"""Webhooks of groups and projects, made through the API and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from speckitty_connectors import Secret
from speckitty_connectors.plugin import (
    Account,
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiUnavailableError,
    App,
    Refused,
    ResourceReference,
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionScope,
    SubscriptionStep,
    Unsubscribed,
)
from speckitty_connectors_gitlab import plugin

URL = "https://saas.example/connectors/webhooks/gitlab/e1"
SECRET = Secret("w" * 32)
HOOKS = "/groups/2001/hooks"
SIGNED = {"id": 7, "url": URL, "token_present": False, "signing_token_present": True, "alert_status": "executable"}
PLAIN = {**SIGNED, "token_present": True, "signing_token_present": False}
OLD = {"id": 7, "url": URL}
PROJECT = ResourceReference(kind="project", id="7001")
SUBGROUP = ResourceReference(kind="group", id="2002")

Take = Callable[..., SubscriptionAnswer]


@pytest.fixture
def gitlab(session: Callable[..., Any]) -> Any:
    """GitLab's answers; a test changes them."""
    return session({})


@pytest.fixture
def take(app: App, account: Account, gitlab: Any) -> Take:
    """Take a step about the group's webhook, or a resource's."""

    def step(
        name: SubscriptionStep,
        answers: Mapping[str, object],
        *,
        registration: str = "",
        resource: ResourceReference | None = None,
        url: str = URL,
    ) -> SubscriptionAnswer:
        gitlab.answers = answers
        return plugin.subscribe(
            Subscription(
                step=name,
                app=app,
                account=account,
                session=gitlab,
                scope=SubscriptionScope.RESOURCE if resource else SubscriptionScope.ACCOUNT,
                resources=(resource,) if resource else (),
                url=url,
                secret=SECRET,
                scheme="signing_token",
                registration=registration,
            )
        )

    return step


@pytest.fixture
def answer(session: Callable[..., Any]) -> Callable[[Mapping[str, object]], Mapping[str, object]]:
    """Make answers of documents."""
    return lambda documents: session(documents).answers


def test_a_webhook_is_made_that_signs(take: Take, answer: Any, gitlab: Any) -> None:
    """The secret is handed on as it came, as a signing token; what is confidential isn't asked for."""
    made = take(SubscriptionStep.REGISTER, answer({f"POST {HOOKS}": SIGNED}))
    assert made == Subscribed(registration="7", scheme="signing_token")
    ((_, document),) = gitlab.asked
    assert (document["url"], document["signing_token"], document["enable_ssl_verification"]) == (URL, SECRET, True)
    assert {"token", "confidential_issues_events", "confidential_note_events"}.isdisjoint(document)
    assert document["subgroup_events"] is document["push_events"] is True


@pytest.mark.parametrize(
    ("resource", "path", "of_group"),
    [(PROJECT, "/projects/7001/hooks", False), (SUBGROUP, "/groups/2002/hooks", True)],
)
def test_a_mapped_project_or_group_has_its_own(
    resource: ResourceReference, path: str, of_group: bool, take: Take, answer: Any, gitlab: Any
) -> None:
    """It is addressed by its number; only a group's webhook tells of groups in it."""
    take(SubscriptionStep.REGISTER, answer({f"POST {path}": SIGNED}), resource=resource)
    assert ("subgroup_events" in gitlab.asked[0][1]) is of_group


def test_an_older_version_gets_a_token_instead(take: Take, answer: Any, gitlab: Any) -> None:
    """It leaves the unknown field aside and says nothing of it, so the webhook is read back and mended."""
    answers = answer({f"POST {HOOKS}": OLD, f"PUT {HOOKS}/7": {**OLD, "token_present": True}})
    assert take(SubscriptionStep.REGISTER, answers) == Subscribed(registration="7", scheme="secret_token")
    assert gitlab.asked[-1] == (f"PUT {HOOKS}/7", {"url": URL, "token": SECRET})


@pytest.mark.parametrize("error", [ApiForbiddenError("no", status=403), ApiNotFoundError("no", status=404)])
def test_a_plan_or_a_role_that_allows_none_is_a_refusal(error: Exception, take: Take, answer: Any) -> None:
    """Core goes on to webhooks of projects, and a person can read what is missing."""
    of_group = take(SubscriptionStep.REGISTER, answer({f"POST {HOOKS}": error}))
    of_project = take(SubscriptionStep.REGISTER, answer({"POST /projects/7001/hooks": error}), resource=PROJECT)
    assert isinstance(of_group, Refused)
    assert isinstance(of_project, Refused)
    assert (of_group.code, of_project.code) == ("no_group_webhooks", "no_project_webhooks")


def test_a_webhook_that_is_not_taken_is_a_refusal(take: Take, answer: Any) -> None:
    """There may be too many, or GitLab may not reach us; anything else passes as it is."""
    refused = take(SubscriptionStep.REGISTER, answer({f"POST {HOOKS}": ApiError("no", status=422)}))
    assert isinstance(refused, Refused)
    assert refused.code == "webhook_not_taken"
    for error in (ApiUnavailableError("no", status=502), ApiError("no", status=418)):
        with pytest.raises(type(error)):
            take(SubscriptionStep.REGISTER, answer({f"POST {HOOKS}": error}))


@pytest.mark.parametrize(
    ("hook", "scheme", "fault"),
    [
        (SIGNED, "signing_token", ""),
        (PLAIN, "secret_token", ""),
        (OLD, "", ""),
        ({**SIGNED, "signing_token_present": False}, "", "somebody removed the webhook's secret on GitLab"),
        (
            {**SIGNED, "alert_status": "disabled"},
            "signing_token",
            "GitLab disabled the webhook after failed deliveries",
        ),
        (
            {**SIGNED, "alert_status": "temporarily_disabled"},
            "signing_token",
            "GitLab disabled the webhook after failed deliveries",
        ),
        (
            {**SIGNED, "url": "https://evil.example"},
            "signing_token",
            "somebody changed the webhook's address on GitLab",
        ),
    ],
)
def test_a_webhook_is_read_back(
    hook: Mapping[str, object], scheme: str, fault: str, take: Take, answer: Any, gitlab: Any
) -> None:
    """One question says whether it is there, how it proves itself, and why nothing may come of it."""
    for step in (SubscriptionStep.CHECK, SubscriptionStep.RENEW):
        read = take(step, answer({f"GET {HOOKS}/7": hook}), registration="7")
        assert read == Subscribed(registration="7", scheme=scheme, fault=fault)
    assert len(gitlab.asked) == 2


def test_a_webhook_that_is_gone_says_so(take: Take, answer: Any) -> None:
    """Nobody tells when one is deleted; one that may not be looked at may still deliver."""
    gone = answer({f"GET {HOOKS}/7": ApiNotFoundError("no", status=404)})
    assert isinstance(take(SubscriptionStep.CHECK, gone, registration="7"), Unsubscribed)
    hidden = answer({f"GET {HOOKS}/7": ApiForbiddenError("no", status=403)})
    read = take(SubscriptionStep.CHECK, hidden, registration="7")
    assert isinstance(read, Subscribed)
    assert read.fault


def test_a_webhook_without_a_known_number_is_found_by_its_address(take: Take, answer: Any, gitlab: Any) -> None:
    """On whatever page it is; one that was begun on an older version is finished."""
    second = "https://gitlab.com/api/v4/groups/2001/hooks?page=2"
    others = [{**SIGNED, "id": 5, "url": "https://else.example"}]
    listed = {f"GET {HOOKS}": (others, second), f"GET {second}": [PLAIN]}
    assert take(SubscriptionStep.CHECK, answer(listed)) == Subscribed(registration="7", scheme="secret_token")
    begun = {f"GET {HOOKS}": [OLD], f"PUT {HOOKS}/7": OLD}
    assert take(SubscriptionStep.CHECK, answer(begun)) == Subscribed(registration="7", scheme="secret_token")
    assert gitlab.asked[-1][0] == f"PUT {HOOKS}/7"
    assert isinstance(take(SubscriptionStep.CHECK, answer({f"GET {HOOKS}": others})), Unsubscribed)


def test_a_webhook_is_deleted(take: Take, answer: Any, gitlab: Any) -> None:
    """Also where it is gone already, or only its address is known, or nothing was ever made."""
    missing = ApiNotFoundError("no", status=404)
    for answers, registration in (
        ({f"DELETE {HOOKS}/7": None}, "7"),
        ({f"DELETE {HOOKS}/7": missing}, "7"),
        ({f"GET {HOOKS}": [SIGNED], f"DELETE {HOOKS}/7": None}, ""),
        ({f"GET {HOOKS}": []}, ""),
    ):
        assert take(SubscriptionStep.REMOVE, answer(answers), registration=registration) == Unsubscribed()
    assert [request for request, _ in gitlab.asked].count(f"DELETE {HOOKS}/7") == 3


def test_a_host_without_tls_is_not_asked_to_check_it(take: Take, answer: Any, gitlab: Any) -> None:
    """On loopback there is nothing to check; everywhere else GitLab checks the certificate."""
    take(
        SubscriptionStep.REGISTER, answer({f"POST {HOOKS}": SIGNED}), url="http://127.0.0.1:8000/webhooks/gitlab/e1"
    )
    assert gitlab.asked[0][1]["enable_ssl_verification"] is False

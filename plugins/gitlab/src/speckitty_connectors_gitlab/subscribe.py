"""Webhooks of groups and projects, made and read back ("Group webhooks API", "Project webhooks API")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType

from speckitty_connectors.plugin import (
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    Refused,
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionScope,
    SubscriptionStep,
    Unsubscribed,
    hookimpl,
    read_answer,
)

from .answers import Hook
from .manifest import GROUP, PAGE_SIZE, SECRET_TOKEN, SIGNING_TOKEN
from .refusals import HOOK_NOT_TAKEN, NO_GROUP_HOOKS, NO_PROJECT_HOOKS

HOOKS: Mapping[str, str] = MappingProxyType({GROUP: "/groups/{}/hooks", "project": "/projects/{}/hooks"})

NAME = "speckitty-connectors"

# Confidential issues and notes are left out: who may read them isn't who may read the project here.
EVENTS = dict.fromkeys(
    (
        "push_events",
        "tag_push_events",
        "merge_requests_events",
        "issues_events",
        "note_events",
        "pipeline_events",
        "job_events",
        "deployment_events",
        "releases_events",
        "wiki_page_events",
        "milestone_events",
        "feature_flag_events",
        "resource_access_token_events",
    ),
    True,
)
"""What a webhook reports, of a project or of a group."""

GROUP_EVENTS = {**EVENTS, "subgroup_events": True, "project_events": True, "member_events": True}
"""What that of a group reports besides: what is made and deleted in it, and who comes and goes."""

DISABLED = frozenset({"disabled", "temporarily_disabled"})
"""The alert status of a webhook that delivers nothing ("Webhooks": "Auto-disabled webhooks")."""

NOT_TAKEN = frozenset({400, 409, 422})
"""The statuses of a request that is understood and not taken ("REST API troubleshooting")."""


@hookimpl
def subscribe(subscription: Subscription) -> SubscriptionAnswer:
    """Take one step about one webhook."""
    kind, identifier = _whose(subscription)
    hooks = _Hooks(subscription, HOOKS[kind].format(identifier), of_group=kind == GROUP)
    match subscription.step:
        case SubscriptionStep.REGISTER:
            return hooks.register()
        case SubscriptionStep.REMOVE:
            return hooks.remove()
        case _:
            return hooks.check()


def _whose(subscription: Subscription) -> tuple[str, str]:
    """Return the kind and the id of the group or project that the webhook is for."""
    if subscription.scope is SubscriptionScope.ACCOUNT:
        return GROUP, subscription.account.id
    (resource,) = subscription.resources
    return resource.kind, resource.id


class _Hooks:
    """The webhooks of one group or project."""

    def __init__(self, subscription: Subscription, path: str, *, of_group: bool) -> None:
        assert subscription.session is not None  # noqa: S101 - core asks nothing without one
        self._subscription = subscription
        self._session = subscription.session
        self._path = path
        self._of_group = of_group

    def register(self) -> SubscriptionAnswer:
        """Make a webhook that signs; an older server doesn't know how, says nothing, and gets a token instead."""
        document = {
            "url": self._subscription.url,
            "name": NAME,
            SIGNING_TOKEN: self._subscription.secret,
            "enable_ssl_verification": self._subscription.url.startswith("https:"),
            **(GROUP_EVENTS if self._of_group else EVENTS),
        }
        try:
            made = read_answer(self._session.post(self._path, document=document), Hook)
        except (ApiForbiddenError, ApiNotFoundError):
            return NO_GROUP_HOOKS if self._of_group else NO_PROJECT_HOOKS
        except ApiError as error:
            if error.status in NOT_TAKEN:
                return HOOK_NOT_TAKEN
            raise
        return self._settled(made)

    def check(self) -> SubscriptionAnswer:
        """Read the webhook back."""
        if not self._subscription.registration:
            found = self._find()
            return self._settled(found) if found else Unsubscribed(reason="GitLab lists no webhook of this address")
        try:
            hook = read_answer(self._session.get(f"{self._path}/{self._subscription.registration}"), Hook)
        except ApiNotFoundError:
            return Unsubscribed(reason="somebody deleted it on GitLab")
        except ApiForbiddenError:
            fault = "GitLab doesn't let us look at the webhook any more"
            return Subscribed(registration=self._subscription.registration, fault=fault)
        return Subscribed(registration=str(hook.id), scheme=_scheme(hook), fault=self._fault(hook))

    def remove(self) -> SubscriptionAnswer:
        """Delete the webhook, where it is still there."""
        registration = self._subscription.registration
        if not registration:
            found = self._find()
            registration = str(found.id) if found else ""
        if registration:
            with suppress(ApiNotFoundError):
                self._session.delete(f"{self._path}/{registration}")
        return Unsubscribed()

    def _settled(self, hook: Hook) -> Subscribed | Refused:
        """Return a new webhook, after it was given a token where it can't sign."""
        if _scheme(hook) == SIGNING_TOKEN:
            return Subscribed(registration=str(hook.id), scheme=SIGNING_TOKEN)
        if _scheme(hook) != SECRET_TOKEN:
            document = {"url": hook.url or self._subscription.url, "token": self._subscription.secret}
            self._session.put(f"{self._path}/{hook.id}", document=document)
        return Subscribed(registration=str(hook.id), scheme=SECRET_TOKEN)

    def _find(self) -> Hook | None:
        return next((hook for hook in self._listed() if hook.url == self._subscription.url), None)

    def _listed(self) -> Iterator[Hook]:
        response = self._session.get(self._path, parameters={"per_page": str(PAGE_SIZE)})
        while True:
            yield from read_answer(response, list[Hook])
            if not response.next_link:
                return
            response = self._session.get(response.next_link)

    def _fault(self, hook: Hook) -> str:
        if hook.url != self._subscription.url:
            return "somebody changed the webhook's address on GitLab"
        if hook.alert_status in DISABLED:
            return "GitLab disabled the webhook after failed deliveries"
        if hook.token_present is False and hook.signing_token_present is False:
            return "somebody removed the webhook's secret on GitLab"
        return ""


def _scheme(hook: Hook) -> str:
    if hook.signing_token_present:
        return SIGNING_TOKEN
    return SECRET_TOKEN if hook.token_present else ""

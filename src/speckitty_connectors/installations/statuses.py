"""Where an installation stands, why, and what a person does next."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from attrs import frozen


class InstallationStatus(StrEnum):
    """Where an installation stands; `Installation.status_reason` says why."""

    PENDING_APPROVAL = "pending_approval"
    ACTIVE = "active"
    DEGRADED = "degraded"
    NEEDS_REAUTHORISATION = "needs_reauthorisation"
    NEEDS_RECONSENT = "needs_reconsent"
    SUSPENDED = "suspended"
    ORPHANED = "orphaned"
    REMOVED = "removed"


LIVE = frozenset(InstallationStatus) - {InstallationStatus.PENDING_APPROVAL, InstallationStatus.REMOVED}
"""The statuses in which deliveries still concern an installation, were it only to change its status again."""

GONE = frozenset({InstallationStatus.ORPHANED, InstallationStatus.REMOVED})
"""The statuses in which the provider's side is no longer there; only a new proof of control revives it."""


DETAIL = ": "
"""What separates a reason from its detail."""


class StatusReason(StrEnum):
    """Why an installation stands where it stands: a stable word, with the words for a person in `EXPLANATIONS`.

    Where there is more to say, a colon and the detail stand behind the word: see `with_detail`.
    """

    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_DECLINED = "approval_declined"
    DISCONNECTED = "disconnected"
    UNINSTALLED = "uninstalled"
    SUSPENDED_BY_PROVIDER = "suspended_by_provider"
    ACCOUNT_DELETED = "account_deleted"
    WEBHOOK_REMOVED = "webhook_removed"
    WEBHOOKS_INCOMPLETE = "webhooks_incomplete"
    RENEWAL_FAILING = "renewal_failing"
    CREDENTIAL_SUSPECT = "credential_suspect"
    CREDENTIAL_REFUSED = "credential_refused"
    CREDENTIAL_REVOKED = "credential_revoked"
    PERSON_LEFT = "person_left"
    ACCESS_REFUSED = "access_refused"
    ACCOUNT_UNREACHED = "account_unreached"
    SCOPES_MISSING = "scopes_missing"


EXPLANATIONS: Mapping[str, str] = {
    StatusReason.APPROVAL_REQUESTED: "an owner on the provider's side must approve it",
    StatusReason.APPROVAL_DECLINED: "the provider knows of no request any more: it was declined or withdrawn",
    StatusReason.DISCONNECTED: "disconnected by a member",
    StatusReason.UNINSTALLED: "uninstalled on the provider's side",
    StatusReason.SUSPENDED_BY_PROVIDER: "suspended on the provider's side",
    StatusReason.ACCOUNT_DELETED: "the account was deleted on the provider's side",
    StatusReason.WEBHOOK_REMOVED: "the webhook was removed, so no deliveries arrive",
    StatusReason.WEBHOOKS_INCOMPLETE: "not all deliveries arrive",
    StatusReason.RENEWAL_FAILING: "its token can't be renewed at the moment; it is tried again",
    StatusReason.CREDENTIAL_SUSPECT: "the provider refused its token once; it is tried again",
    StatusReason.CREDENTIAL_REFUSED: "the provider accepts its credential no longer",
    StatusReason.CREDENTIAL_REVOKED: "its credential was revoked on the provider's side",
    StatusReason.PERSON_LEFT: "the person whose grant it speaks with left, or withdrew it",
    StatusReason.ACCESS_REFUSED: "the provider refused access when it was last asked; it is tried again",
    StatusReason.ACCOUNT_UNREACHED: "the provider no longer shows this account to the app; it is tried again",
    StatusReason.SCOPES_MISSING: "it was granted less than is needed by now",
}
"""Reason → one sentence for a person."""


class Action(StrEnum):
    """What a host offers as a button beside an installation."""

    NONE = "none"
    CHECK_NOW = "check_now"
    CONNECT = "connect"
    REAUTHORISE = "reauthorise"
    GRANT_MORE = "grant_more"
    RESUME_AT_PROVIDER = "resume_at_provider"
    RESTORE_WEBHOOK = "restore_webhook"
    WAIT = "wait"


@frozen(kw_only=True)
class NextStep:
    """What a person does next.

    Attributes:
        action: a stable word, for a button.
        text: the instruction, for a person.

    >>> next_step(InstallationStatus.REMOVED, "uninstalled").action.value
    'connect'
    """

    action: Action
    text: str


NOTHING_TO_DO = NextStep(action=Action.NONE, text="")

REASONS: Mapping[str, NextStep] = {
    StatusReason.APPROVAL_DECLINED: NextStep(
        action=Action.CONNECT, text="speak with an owner of the account, then start again"
    ),
    StatusReason.ACCOUNT_UNREACHED: NextStep(
        action=Action.WAIT, text="nothing if this passes; if the app was removed there, disconnect it here"
    ),
    StatusReason.WEBHOOK_REMOVED: NextStep(
        action=Action.RESTORE_WEBHOOK, text="add the webhook again on the provider's side, or connect it again"
    ),
    StatusReason.WEBHOOKS_INCOMPLETE: NextStep(
        action=Action.RESTORE_WEBHOOK, text="fix what the reason names; the webhooks are then made by themselves"
    ),
}
"""The next steps that depend on the reason."""

STATUSES: Mapping[InstallationStatus, NextStep] = {
    InstallationStatus.PENDING_APPROVAL: NextStep(
        action=Action.CHECK_NOW, text="ask an owner of the account to approve the request, then check again"
    ),
    InstallationStatus.ACTIVE: NOTHING_TO_DO,
    InstallationStatus.DEGRADED: NextStep(
        action=Action.WAIT, text="nothing yet: it is tried again by itself; look again in an hour"
    ),
    InstallationStatus.NEEDS_REAUTHORISATION: NextStep(
        action=Action.REAUTHORISE, text="authorise it again; anybody who administers the account can"
    ),
    InstallationStatus.NEEDS_RECONSENT: NextStep(
        action=Action.GRANT_MORE,
        text="accept the new permissions on the provider's side, or authorise it again with all of them",
    ),
    InstallationStatus.SUSPENDED: NextStep(
        action=Action.RESUME_AT_PROVIDER, text="ask an owner of the account to end the suspension there"
    ),
    InstallationStatus.ORPHANED: NextStep(
        action=Action.CONNECT, text="map to another account; if this one is restored, connect it again"
    ),
    InstallationStatus.REMOVED: NextStep(
        action=Action.CONNECT, text="connect the account again; mappings and links come back with it"
    ),
}
"""The next steps that depend on the status alone."""


def next_step(status: InstallationStatus, reason: str) -> NextStep:
    """Return what a person does next about an installation that stands there for that reason."""
    return REASONS.get(reason.partition(DETAIL)[0], STATUSES[status])


def with_detail(reason: StatusReason, detail: str) -> str:
    """Return a reason with what is particular to this case."""
    return f"{reason}{DETAIL}{detail}"


def explain(reason: str) -> str:
    """Return a reason in words for a person, its detail behind them.

    >>> explain(with_detail(StatusReason.WEBHOOKS_INCOMPLETE, "somebody deleted one"))
    'not all deliveries arrive: somebody deleted one'
    """
    word, separator, detail = reason.partition(DETAIL)
    return f"{EXPLANATIONS.get(word, word)}{separator}{detail}"

"""Why a conversation is refused: stable codes, each with its words for a person and what to do next."""

from __future__ import annotations

from enum import StrEnum

from ..errors import ConnectorsError
from ..providers.conversations import Refused

START_AGAIN = "start again from the page of your workspace"


class Refusal(StrEnum):
    """Core's own reasons; a plugin's `Refused` brings its own code."""

    STATE_MISSING = "state_missing"
    STATE_UNKNOWN = "state_unknown"
    STATE_USED = "state_used"
    STATE_EXPIRED = "state_expired"
    SESSION_MISMATCH = "session_mismatch"
    WORKSPACE_MISMATCH = "workspace_mismatch"
    MEMBER_MISMATCH = "member_mismatch"
    PROVIDER_MISMATCH = "provider_mismatch"
    HOST_MISMATCH = "host_mismatch"
    REDIRECT_MISMATCH = "redirect_mismatch"
    ISSUER_MISMATCH = "issuer_mismatch"
    ANSWER_CONTRADICTORY = "answer_contradictory"
    CODE_MISSING = "code_missing"
    CODE_USED = "code_used"
    CODE_REFUSED = "code_refused"
    DENIED = "denied"
    SCOPES_MISSING = "scopes_missing"
    CHOICE_INVALID = "choice_invalid"
    UNPROVEN = "unproven"
    ACCOUNT_MISMATCH = "account_mismatch"
    ACCOUNT_UNAVAILABLE = "account_unavailable"
    ALREADY_LINKED = "already_linked"


WORDS: dict[Refusal, tuple[str, str]] = {
    Refusal.STATE_MISSING: ("the browser came back without the state that it was sent with", START_AGAIN),
    Refusal.STATE_UNKNOWN: ("this state was never given out for this", START_AGAIN),
    Refusal.STATE_USED: ("this state was used already", START_AGAIN),
    Refusal.STATE_EXPIRED: ("more than ten minutes passed since it began", START_AGAIN),
    Refusal.SESSION_MISMATCH: ("it began in another browser", START_AGAIN),
    Refusal.WORKSPACE_MISMATCH: ("it began for another workspace", "switch to that workspace and start again"),
    Refusal.MEMBER_MISMATCH: ("another person began it", "start again as yourself"),
    Refusal.PROVIDER_MISMATCH: ("it began for another provider", START_AGAIN),
    Refusal.HOST_MISMATCH: ("it began for another host of the provider", START_AGAIN),
    Refusal.REDIRECT_MISMATCH: (
        "the browser didn't come back to the very address that it was sent with",
        "start again, and compare the callback URL that is entered at the provider letter by letter",
    ),
    Refusal.ISSUER_MISMATCH: (
        "the answer doesn't come from the provider that was asked",
        "start again, and tell the operator if it happens twice",
    ),
    Refusal.ANSWER_CONTRADICTORY: (
        "the provider's answer has both an error and an authorisation code",
        "start again, and tell the operator if it happens twice",
    ),
    Refusal.CODE_MISSING: ("the provider sent no authorisation code", START_AGAIN),
    Refusal.CODE_USED: ("this authorisation code was used already", START_AGAIN),
    Refusal.CODE_REFUSED: ("the provider didn't accept its own authorisation code", START_AGAIN),
    Refusal.DENIED: ("the authorisation was declined on the provider's side", "start again and accept it there"),
    Refusal.SCOPES_MISSING: (
        "not everything that is needed was granted",
        "start again and leave every requested permission granted",
    ),
    Refusal.CHOICE_INVALID: ("what was picked was not there to choose", START_AGAIN),
    Refusal.UNPROVEN: (
        "the plugin took the account for connected, but no grant proves who controls it",
        "tell the plugin's authors: `Connected` and `Linked` need a grant",
    ),
    Refusal.ACCOUNT_MISMATCH: (
        "what was authorised is another account than the one that is connected",
        "sign in at the provider where that account is yours, or connect the other account beside it",
    ),
    Refusal.ACCOUNT_UNAVAILABLE: (
        "this account can't be connected to this workspace",
        "ask the people who run this service",
    ),
    Refusal.ALREADY_LINKED: (
        "another member of this workspace is linked to this identity",
        "if it is yours, take it over; else ask them to remove their link, or sign in at the provider as yourself",
    ),
}


class OnboardingRefusedError(ConnectorsError):
    """An account was not connected, or a person not linked, and why.

    Attributes:
        refusal: the stable code of the reason: a `Refusal`, or the code of a plugin's `Refused`.

    >>> error = OnboardingRefusedError.because(Refusal.STATE_EXPIRED, subject="provider acme")
    >>> error.refusal, error.what
    ('state_expired', 'more than ten minutes passed since it began')
    """

    code = "onboarding_refused"

    def __init__(self, what: str, *, refusal: str, subject: str = "", remedy: str = "") -> None:
        super().__init__(what, subject=subject, remedy=remedy)
        self.refusal = refusal

    @classmethod
    def because(cls, why: Refusal | Refused, *, subject: str, detail: str = "") -> OnboardingRefusedError:
        """Return the error of one of core's own reasons, or of a plugin's."""
        if isinstance(why, Refused):
            return cls(why.reason, refusal=why.code, subject=subject, remedy=why.remedy)
        what, remedy = WORDS[why]
        return cls(f"{what}: {detail}" if detail else what, refusal=why.value, subject=subject, remedy=remedy)

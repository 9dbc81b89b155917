"""Why a connection or a link can't be made, in words for the person who tried; codes are stable."""

from __future__ import annotations

from collections.abc import Mapping

from speckitty_connectors import Refused


def refused_by(parameters: Mapping[str, str]) -> Refused | None:
    """Return the refusal that the browser brought back, or None.

    GitHub adds ``error`` to the landing, ``access_denied`` where the person declined ("Troubleshooting
    authorization request errors").
    """
    error = parameters.get("error", "")
    if not error:
        return None
    if error == "access_denied":
        return Refused(code="denied", reason="You declined on GitHub.", remedy="Start again and authorise the app.")
    return Refused(
        code="authorization_failed",
        reason="GitHub didn't authorise the app.",
        remedy="Start again; if it happens again, an operator should check the app's callback URL on GitHub.",
    )


NOT_YOURS = Refused(
    code="installation_not_yours",
    reason="GitHub doesn't list this installation among yours.",
    remedy="Sign in to GitHub as an owner of the account that has the app, then start again.",
)

SUSPENDED = Refused(
    code="suspended",
    reason="The app is suspended for this account.",
    remedy="An owner can unsuspend it on GitHub, in the account's settings under 'GitHub Apps'; then start again.",
)

NOT_THE_USER = Refused(
    code="not_an_owner",
    reason="The app is installed for another person's account.",
    remedy="Ask that person to connect it, or install the app for your own account.",
)

NO_ENTERPRISE = Refused(
    code="enterprise_unproven",
    reason="GitHub doesn't let us check who administers an enterprise.",
    remedy="Install the app on one of the enterprise's organizations and connect that one.",
)


def not_an_owner(organization: str) -> Refused:
    """Return the refusal for a person who is no owner, or can't be shown to be one."""
    return Refused(
        code="not_an_owner",
        reason=f"GitHub doesn't confirm that you own the organization {organization}.",
        remedy="Ask an owner to connect it. If you are one: sign in to the organization's SSO first, and check "
        "that the app was granted 'Members: read'.",
    )

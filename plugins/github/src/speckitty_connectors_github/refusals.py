"""Why a connection or a link can't be made, in words for the person who tried; codes are stable."""

from __future__ import annotations

from speckitty_connectors.plugin import Refused

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

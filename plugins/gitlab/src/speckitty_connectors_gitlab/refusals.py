"""Why something can't be connected or registered, in words for the person who tried; codes are stable."""

from __future__ import annotations

from speckitty_connectors.plugin import Refused

NO_GROUP = Refused(
    code="no_group",
    reason="GitLab lists no group that you maintain.",
    remedy="Ask a maintainer or owner of the group to connect it, or move your projects into a group.",
)

NOT_YOURS = Refused(
    code="group_not_yours",
    reason="GitLab doesn't list this group among those that you maintain.",
    remedy="Ask a maintainer or owner of the group to connect it.",
)

NO_GROUP_HOOKS = Refused(
    code="no_group_webhooks",
    reason="GitLab doesn't let us make a webhook for the group.",
    remedy="Its plan must have group webhooks (Premium), and who connected it must own it.",
)

NO_PROJECT_HOOKS = Refused(
    code="no_project_webhooks",
    reason="GitLab doesn't let us make a webhook for the project.",
    remedy="Who connected the group must be a maintainer of the project.",
)

HOOK_NOT_TAKEN = Refused(
    code="webhook_not_taken",
    reason="GitLab doesn't take the webhook.",
    remedy="See that it has fewer webhooks than GitLab's limit, and that GitLab can reach our address.",
)

"""What a workspace or a project may want otherwise of GitLab; the plugin declares it, the host acts by it."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class GitLabPolicy:
    """What the host does on GitLab in a project's name; the defaults do nothing there.

    Attributes:
        issue_labels: labels of issues that the host opens; none by default.
        reports_statuses: whether the host reports on commits as a status; the grant then needs the scope ``api``
            ("Personal access tokens").

    >>> GitLabPolicy(issue_labels=("spec-kitty",)).reports_statuses
    False
    """

    issue_labels: tuple[str, ...] | None = None
    reports_statuses: bool = False

"""What a workspace or a project may want otherwise of GitHub; the plugin declares it, the host acts by it."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class GitHubPolicy:
    """What the host does on GitHub in a project's name; the defaults do nothing there.

    Attributes:
        issue_labels: labels of issues that the host opens; none by default.
        reports_checks: whether the host reports on commits as a check; the app then needs Checks: write
            ("REST API endpoints for check runs").

    >>> GitHubPolicy(issue_labels=("spec-kitty",)).reports_checks
    False
    """

    issue_labels: tuple[str, ...] | None = None
    reports_checks: bool = False

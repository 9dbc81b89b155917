"""What a workspace or a project may want otherwise of Jira; the plugin declares it, the host acts by it."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class JiraPolicy:
    """What the host does in Jira in a project's name.

    Attributes:
        issue_labels: labels of issues that the host opens; none by default.
        issue_type: name of the type of issues that the host opens; by default it is for the host to choose one that
            the project has.

    >>> JiraPolicy(issue_labels=("spec-kitty",)).issue_type is None
    True
    """

    issue_labels: tuple[str, ...] | None = None
    issue_type: str | None = None

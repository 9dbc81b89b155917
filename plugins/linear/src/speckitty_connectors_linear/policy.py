"""What a workspace or a project may want otherwise of Linear; the plugin declares it, the host acts by it."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class LinearPolicy:
    """What the host does in Linear in a project's name; the defaults do nothing there.

    Attributes:
        issue_labels: labels of issues that the host opens; none by default.
        reports_attachments: whether the host attaches what it reports to issues; the app then needs the scope
            ``write`` ("OAuth 2.0 authentication").

    >>> LinearPolicy(issue_labels=("spec-kitty",)).reports_attachments
    False
    """

    issue_labels: tuple[str, ...] | None = None
    reports_attachments: bool = False

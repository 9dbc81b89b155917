"""Layer 4's type: a project's exceptions to the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen


@frozen(kw_only=True)
class PolicyOverride:
    """What one project wants otherwise than its installation and workspace, for one provider.

    Attributes:
        workspace: the host's workspace.
        project_id: the host's project.
        provider: provider key.
        fields: field → value; None says "explicitly none", and a field that isn't named inherits.
        updated_by: who changed it last, as the audit names them.
        updated_at: when, in UTC.

    >>> from datetime import UTC, datetime
    >>> override = PolicyOverride(workspace="w1", project_id="apollo", provider="acme",
    ...                           fields={"digest": None}, updated_by="member:mona",
    ...                           updated_at=datetime(2026, 1, 2, tzinfo=UTC))
    >>> "digest" in override.fields, "labels" in override.fields
    (True, False)
    """

    workspace: str
    project_id: str
    provider: str
    updated_by: str
    updated_at: datetime
    fields: Mapping[str, object | None] = field(factory=dict)

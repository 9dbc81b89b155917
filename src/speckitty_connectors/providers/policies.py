"""The policy that every provider has, and what the policy that a plugin declares must look like."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from attrs import NOTHING, AttrsInstance, Factory, field, fields, fields_dict, frozen, has

from .deliveries import Event


class DoctrineMode(StrEnum):
    """Who has the last word on an issue that is both in a tracker and in Spec Kitty: the tracker authority policy.

    ``split`` is read as ``split_ownership``, as some callers write it.

    >>> DoctrineMode("split")
    <DoctrineMode.SPLIT_OWNERSHIP: 'split_ownership'>
    """

    EXTERNAL_AUTHORITATIVE = "external_authoritative"
    SPLIT_OWNERSHIP = "split_ownership"
    SPEC_KITTY_AUTHORITATIVE = "spec_kitty_authoritative"

    @classmethod
    def _missing_(cls, value: object) -> DoctrineMode | None:
        return cls.SPLIT_OWNERSHIP if value == "split" else None


class FieldOwner(StrEnum):
    """Whose word on one field of an issue holds: the tracker's, Spec Kitty's, or the newer of the two."""

    EXTERNAL = "external"
    LOCAL = "local"
    SHARED = "shared"


class CoreIssueField(StrEnum):
    """The fields that every tracker's issues have."""

    TITLE = "title"
    BODY = "body"
    STATUS = "status"
    ISSUE_TYPE = "issue_type"
    PRIORITY = "priority"
    ASSIGNEES = "assignees"
    LABELS = "labels"
    PARENT = "parent"
    LINKS = "links"
    CUSTOM_FIELDS = "custom_fields"


_OWNERS = {
    DoctrineMode.EXTERNAL_AUTHORITATIVE: FieldOwner.EXTERNAL,
    DoctrineMode.SPEC_KITTY_AUTHORITATIVE: FieldOwner.LOCAL,
}
"""Who owns every field in the modes in which one side owns all."""


@frozen(kw_only=True)
class CorePolicy:
    """What can be said of every provider; the defaults are the library's.

    Attributes:
        doctrine_mode: who has the last word on issues.
        doctrine_field_owners: in the mode ``split_ownership``, who owns which field; shared where not named.
        muted_kinds: kinds of events, each alone or as ``kind.action``, that aren't handed over; none by default.

    >>> policy = CorePolicy(doctrine_mode=DoctrineMode.SPLIT_OWNERSHIP,
    ...                     doctrine_field_owners={CoreIssueField.STATUS: FieldOwner.LOCAL})
    >>> policy.owner(CoreIssueField.STATUS).value, policy.owner(CoreIssueField.TITLE).value
    ('local', 'shared')
    >>> CorePolicy().owner(CoreIssueField.STATUS).value
    'external'
    """

    doctrine_mode: DoctrineMode = DoctrineMode.EXTERNAL_AUTHORITATIVE
    doctrine_field_owners: Mapping[CoreIssueField, FieldOwner] | None = field(default=None, hash=False)
    muted_kinds: tuple[str, ...] | None = None

    def owner(self, issue_field: CoreIssueField) -> FieldOwner:
        """Return whose word on a field of an issue holds."""
        named = self.doctrine_field_owners or {}
        return _OWNERS.get(self.doctrine_mode) or named.get(issue_field, FieldOwner.SHARED)

    def mutes(self, event: Event) -> bool:
        """Return whether an event isn't handed over.

        >>> CorePolicy(muted_kinds=("star", "issues.labeled")).mutes(Event(kind="issues", action="opened"))
        False
        """
        muted = self.muted_kinds or ()
        return event.kind in muted or f"{event.kind}.{event.action}" in muted


def check_policy(schema: type[AttrsInstance] | None) -> None:
    """Check that a plugin's policy is an attrs class whose every field has a default and a name of its own.

    Raises:
        ValueError: it isn't; the text names the field.
    """
    if schema is None:
        return
    if not has(schema):
        raise ValueError(f"the policy must be an attrs class, not {schema!r}")
    for each in fields(schema):
        if each.name in fields_dict(CorePolicy):
            raise ValueError(f"the policy's field {each.name} is one that core has for every provider")
        if each.default is NOTHING or (isinstance(each.default, Factory) and each.default.takes_self):  # type: ignore[arg-type]  # attrs types Factory as a function
            raise ValueError(f"the policy's field {each.name} needs a default: the one of the library")

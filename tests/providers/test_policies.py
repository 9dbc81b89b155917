"""The policy that every provider has, and what a plugin's own must look like."""

from __future__ import annotations

import attrs
import pytest

from speckitty_connectors import CoreIssueField, CorePolicy, DoctrineMode, Event, FieldOwner
from speckitty_connectors.contract.fake import MANIFEST


@pytest.mark.parametrize(
    ("mode", "status", "title"),
    [
        (DoctrineMode.EXTERNAL_AUTHORITATIVE, FieldOwner.EXTERNAL, FieldOwner.EXTERNAL),
        (DoctrineMode.SPLIT_OWNERSHIP, FieldOwner.LOCAL, FieldOwner.SHARED),
        (DoctrineMode.SPEC_KITTY_AUTHORITATIVE, FieldOwner.LOCAL, FieldOwner.LOCAL),
    ],
)
def test_owners_are_named_in_split_ownership_only(
    mode: DoctrineMode, status: FieldOwner, title: FieldOwner
) -> None:
    """In the other modes one side owns every field, whoever is named."""
    policy = CorePolicy(doctrine_mode=mode, doctrine_field_owners={CoreIssueField.STATUS: FieldOwner.LOCAL})
    assert policy.owner(CoreIssueField.STATUS) is status
    assert policy.owner(CoreIssueField.TITLE) is title


def test_a_kind_is_muted_alone_or_with_an_action() -> None:
    """Without a word nothing is muted."""
    event = Event(kind="issues", action="labeled")
    assert not CorePolicy().mutes(event)
    assert CorePolicy(muted_kinds=("issues",)).mutes(event)
    assert CorePolicy(muted_kinds=("issues.labeled",)).mutes(event)
    assert not CorePolicy(muted_kinds=("issues.opened", "labeled")).mutes(event)


def test_a_policy_that_cannot_be_resolved_is_refused_with_the_manifest() -> None:
    """It is a class whose every field has a default, and none is named like one of core's."""
    without_default = attrs.make_class("WithoutDefault", {"labels": attrs.field()})
    like_cores = attrs.make_class("LikeCores", {"muted_kinds": attrs.field(default=())})
    by_itself = attrs.make_class("ByItself", {"a": attrs.field(default=attrs.Factory(id, takes_self=True))})
    for wrong, told in (
        (without_default, "labels needs a default"),
        (like_cores, "muted_kinds is one that core has"),
        (by_itself, "a needs a default"),
        (dict, "must be an attrs class"),
    ):
        with pytest.raises(ValueError, match=told):
            attrs.evolve(MANIFEST, policy=wrong)

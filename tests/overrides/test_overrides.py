"""A project's exceptions: set, explicitly none, or inherited."""

from __future__ import annotations

import pytest

from speckitty_connectors import ConfigurationError
from speckitty_connectors.overrides.service import Overrides
from speckitty_connectors.store.engine import Store
from testbed.layers import audited

PROJECT = {"workspace": "w1", "project_id": "apollo", "provider": "fake"}


def test_a_field_may_be_set_to_none_or_left_to_inherit(store: Store) -> None:
    """None is a value of its own, apart from a field that isn't named."""
    overrides = Overrides(store)
    overrides.set(**PROJECT, fields={"digest": None, "labels": ["urgent"]}, actor="member:mona")
    found = overrides.get(**PROJECT)
    assert found is not None
    assert dict(found.fields) == {"digest": None, "labels": ["urgent"]}


def test_setting_replaces_and_clearing_inherits_again(store: Store) -> None:
    """The last set holds whole, a clear leaves nothing, and each change is audited."""
    overrides = Overrides(store)
    overrides.set(**PROJECT, fields={"digest": None}, actor="member:mona")
    overrides.set(**PROJECT, fields={"labels": []}, actor="member:mona")
    found = overrides.get(**PROJECT)
    assert found is not None
    assert dict(found.fields) == {"labels": []}
    for _ in range(2):
        overrides.clear(**PROJECT, actor="member:mona")
    assert overrides.get(**PROJECT) is None
    assert audited(store) == ["override.cleared", "override.set", "override.set"]


def test_another_workspace_sees_nothing_of_it(store: Store) -> None:
    """The same project id in another workspace is another project."""
    overrides = Overrides(store)
    overrides.set(**PROJECT, fields={"digest": None}, actor="member:mona")
    elsewhere = {**PROJECT, "workspace": "w2"}
    overrides.clear(**elsewhere, actor="member:eve")
    assert overrides.get(**elsewhere) is None
    assert overrides.get(**PROJECT) is not None


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_a_value_that_json_cannot_hold_is_refused(store: Store, value: object) -> None:
    """What couldn't be read back the same is an error at once."""
    with pytest.raises(ConfigurationError):
        Overrides(store).set(**PROJECT, fields={"digest": value}, actor="member:mona")

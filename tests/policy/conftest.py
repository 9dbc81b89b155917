"""Policies of the fake provider on both databases."""

from __future__ import annotations

import pytest

from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.policy.service import Policies
from speckitty_connectors.store.engine import Store
from testbed.layers import add_installation


@pytest.fixture
def registry() -> Registry:
    """A registry with the fake provider alone."""
    made = Registry(entry_points=())
    made.register(FakeProvider())
    return made


@pytest.fixture
def policies(store: Store, registry: Registry) -> Policies:
    """What is said of policies."""
    return Policies(store, registry)


@pytest.fixture
def installation(store: Store) -> Installation:
    """The installation of workspace w1."""
    return add_installation(store)

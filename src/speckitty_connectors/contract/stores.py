"""The suite for databases: every promise of SQL that the layers rely on, as a test of pytest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

import pytest

from ..errors import ConfigurationError
from ..store import migrations
from ..store.engine import Store
from .databases.concurrency import ConcurrencyRules
from .databases.promises import DatabaseRules
from .rules import Rule, rule_of
from .verdicts import broken_by, place_of, refuse_overriding, report


class StoreContract(DatabaseRules, ConcurrencyRules):
    """Judges a database, or whatever stands in front of one, by every rule that the layers rely on.

    A subclass has one fixture, ``empty_store``: a `Store` on a database without tables, which it makes anew for
    each rule and closes afterwards. The rules migrate it, and put rows of their own into it::

        class TestOurPooler(StoreContract):
            @pytest.fixture
            def empty_store(self):
                with database_of_its_own() as url:
                    store = Store(url)
                    yield store
                    store.close()

    Nothing here can be waived: on a database that breaks one of these rules, events are lost or done twice.

    Raises:
        ConfigurationError: a subclass overrides a rule.
    """

    __test__: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__test__ = True
        refuse_overriding(cls, StoreContract, but={"empty_store"})

    @pytest.fixture
    def empty_store(self) -> Store:
        """The database to judge; a subclass has its own."""
        raise ConfigurationError(
            "there is no database to judge",
            subject=place_of(type(self)),
            remedy="write a fixture empty_store that yields a Store on a database without tables",
        )

    @pytest.fixture
    def store(self, empty_store: Store) -> Store:
        """The database to judge, with tables."""
        migrations.upgrade(empty_store)
        return empty_store

    def judge(self, rule: Rule, run: Callable[[], None], case: str) -> None:
        """Run a rule and fail with a report where it is broken."""
        did = broken_by(run)
        if did:
            pytest.fail(report(rule, place_of(type(self)), case, did), pytrace=False)


@cache
def store_rules() -> Mapping[str, Rule]:
    """Return every rule about databases by its id."""
    found = [rule_of(value) for group in StoreContract.__bases__ for value in vars(group).values()]
    return {rule.id: rule for rule in found if rule is not None}

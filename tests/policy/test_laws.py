"""The laws by which levels are put together, whatever they say."""

from __future__ import annotations

from functools import reduce
from itertools import accumulate

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors.contract.fake import FakePolicy
from speckitty_connectors.policy.schema import schema_of
from speckitty_connectors.policy.types import Level, Provenance, Statement, Statements

SCHEMA = schema_of(FakePolicy)
LEVELS = (Level.WORKSPACE, Level.INSTALLATION, Level.PROJECT)
VALUES = {
    "doctrine_mode": st.sampled_from(["external_authoritative", "split_ownership", "spec_kitty_authoritative"]),
    "muted_kinds": st.none() | st.lists(st.sampled_from(["card", "star"]), max_size=2),
    "digest_hours": st.none() | st.integers(),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
provenances = st.builds(Provenance, level=st.sampled_from(LEVELS), actor=st.sampled_from(["mona", "hubot"]))


def said(values: st.SearchStrategy[object]) -> st.SearchStrategy[Statement]:
    """Return what one level may say of a field: that it is set, locked, both, or nothing."""
    setting = st.builds(Statement, value=values, source=provenances, lock=st.none() | provenances)
    return setting | st.builds(Statement, lock=st.none() | provenances)


statements = said(JSON)
known: st.SearchStrategy[Statements] = st.fixed_dictionaries(
    {}, optional={name: said(values) for name, values in VALUES.items()}
)
newer: st.SearchStrategy[Statements] = st.dictionaries(
    st.text(min_size=1, max_size=5).filter(lambda name: name not in SCHEMA.names), said(JSON), max_size=2
)


@given(statements, statements, statements)
def test_levels_may_be_put_together_in_any_groups(first: Statement, second: Statement, third: Statement) -> None:
    """Narrowing is associative, so what holds above a level can be worked out once."""
    together = first.narrowed_by(second).narrowed_by(third)
    assert together == first.narrowed_by(second.narrowed_by(third))


@given(statements, statements)
def test_a_level_said_twice_says_no_more(first: Statement, second: Statement) -> None:
    """Narrowing is idempotent, for one level and for what several came to."""
    assert first.narrowed_by(first) == first
    together = first.narrowed_by(second)
    assert together.narrowed_by(second) == together


@given(statements)
def test_who_says_nothing_inherits(one: Statement) -> None:
    """Nothing said, above or below, changes nothing."""
    nothing = Statement()
    assert nothing.says_nothing
    assert one.narrowed_by(nothing) == one
    assert nothing.narrowed_by(one) == one


@given(statements, st.lists(statements, max_size=4), provenances)
def test_a_lock_wins(broader: Statement, narrower: list[Statement], lock: Provenance) -> None:
    """Whatever is said below a lock, the value and its source are those of the lock's level."""
    locked = evolve(broader, lock=lock)
    assert reduce(Statement.narrowed_by, narrower, locked) == locked


@given(statements.filter(lambda one: one.lock is None), provenances)
def test_none_differs_from_inherit(broader: Statement, source: Provenance) -> None:
    """Explicitly none is a value with a source; inheriting leaves the value above."""
    none = broader.narrowed_by(Statement(value=None, source=source))
    assert (none.value, none.source) == (None, source)
    inherited = broader.narrowed_by(Statement())
    assert (inherited.value, inherited.source) == (broader.value, broader.source)


@given(st.lists(known, max_size=3))
def test_every_field_has_one_value_and_its_source(levels: list[Statements]) -> None:
    """What holds is the narrowest value above the first lock, else the library's default."""
    resolved = SCHEMA.resolve(*levels)
    assert set(resolved.statements) == set(SCHEMA.names)
    for name, holds in resolved.statements.items():
        told = [level[name] for level in levels if name in level]
        heard = [each for each, locked in zip(told, _locked_before(told), strict=True) if not locked]
        sources = [each for each in heard if each.source is not None]
        expected = sources[-1] if sources else SCHEMA.resolve().statements[name]
        assert (holds.value, holds.source) == (expected.value, expected.source)
        assert holds.lock == next((each.lock for each in heard if each.lock), None)


@given(st.lists(known, max_size=3), newer)
def test_what_a_newer_schema_said_is_kept_and_changes_nothing(
    levels: list[Statements], unknown: Statements
) -> None:
    """Fields that this version doesn't know are passed over whole, beside those that it does."""
    resolved = SCHEMA.resolve(unknown, *levels)
    assert resolved.passed_over == unknown
    assert resolved.statements == SCHEMA.resolve(*levels).statements


@given(known, JSON, provenances)
def test_a_value_that_is_not_understood_is_inherited(above: Statements, value: object, source: Provenance) -> None:
    """A mode of a newer version holds nowhere, is kept, and the level above still speaks."""
    strange = {"doctrine_mode": Statement(value={"newer": value}, source=source)}
    resolved = SCHEMA.resolve(above, strange)
    assert resolved.passed_over == strange
    assert resolved.statements == SCHEMA.resolve(above).statements


def _locked_before(told: list[Statement]) -> list[bool]:
    """Return, of each statement, whether one before it locks."""
    return list(accumulate((each.lock is not None for each in told), lambda a, b: a or b, initial=False))[:-1]

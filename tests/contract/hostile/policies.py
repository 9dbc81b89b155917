"""Misbehaviours of policies: what a person sets isn't what holds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from attrs import AttrsInstance, define, evolve, field, frozen

from .boards import MANIFEST
from .switches import Hostile, Replace, switch

UNCHECKED: Mapping[str, Replace] = {"providers.manifest:check_policy": lambda _: lambda _: None}
"""Core refuses some policies at once; the rules notice them all the same."""


class Declaring(Hostile):
    """Declares another policy than an honest plugin would."""

    policy: type[AttrsInstance]

    def __init__(self) -> None:
        super().__init__()
        self.manifest = evolve(MANIFEST, policy=self.policy)


@define(kw_only=True)
class _Changing:
    """Can be changed.

    Attributes:
        digest_hours: how often a summary is made, in hours.
    """

    digest_hours: int = 24


@switch("P01")
class LetsItsPolicyChange(Declaring):
    """Has a policy that whoever is given it may change."""

    policy = _Changing


@frozen(kw_only=True)
class _Listing:
    """Has a list.

    Attributes:
        labels: labels of new cards; none by default.
    """

    labels: list[str] | None = None


@switch("P02")
class TakesATextForItsLetters(Declaring):
    """Has a list in its policy, which takes a text for its letters."""

    policy = _Listing


@frozen(kw_only=True)
class _Defaulting:
    """Has a default of another type.

    Attributes:
        labels: labels of new cards; none by default.
    """

    labels: tuple[str, ...] = None  # type: ignore[assignment]  # that is the misbehaviour


@switch("P03")
class HasADefaultOfAnotherType(Declaring):
    """Has none for a default where the type has no None."""

    policy = _Defaulting


@frozen(kw_only=True)
class _Spelling:
    """Has a text for a number.

    Attributes:
        digest_hours: how often a summary is made, in hours.
    """

    digest_hours: int = "24"  # type: ignore[assignment]  # that is the misbehaviour


@switch("P03")
class SpellsANumber(Declaring):
    """Has a default that nobody could set."""

    policy = _Spelling


@frozen(kw_only=True)
class _Demanding:
    """Has no default.

    Attributes:
        digest_hours: how often a summary is made, in hours.
    """

    digest_hours: int


@switch("P03")
class HasNoDefault(Declaring):
    """Has a field that nobody can inherit."""

    core = UNCHECKED
    policy = _Demanding


@frozen(kw_only=True)
class _Colliding:
    """Has a field of core's.

    Attributes:
        muted_kinds: kinds of cards that aren't handed over.
    """

    muted_kinds: tuple[str, ...] | None = None


@switch("P04")
class TakesANameOfCores(Declaring):
    """Has a field that core has for every provider."""

    core = UNCHECKED
    policy = _Colliding


def _in_minutes(hours: int) -> int:
    return hours * 60


@frozen(kw_only=True)
class _Converting:
    """Converts what it is given.

    Attributes:
        digest_hours: how often a summary is made.
    """

    digest_hours: int = field(default=24, converter=_in_minutes)


@switch("P05")
class ConvertsAtEachReading(Declaring):
    """Has another value each time it is read."""

    policy = _Converting


@frozen(kw_only=True)
class _Numbering:
    """Has numbers for keys, which JSON hasn't.

    Attributes:
        titles: titles of boards by their number; none by default.
    """

    titles: Mapping[int, str] | None = None


@switch("P05")
class NumbersItsKeys(Declaring):
    """Can't read what was stored."""

    policy = _Numbering


class _Mood(StrEnum):
    CALM = "calm"
    LOUD = "loud"

    @classmethod
    def _missing_(cls, value: object) -> _Mood | None:
        return cls.CALM if isinstance(value, str) else None


@frozen(kw_only=True)
class _Guessing:
    """Guesses.

    Attributes:
        mood: how the host speaks; calmly by default.
    """

    mood: _Mood = _Mood.CALM


@switch("P06")
class TakesAnyWord(Declaring):
    """Takes a wrong word for a right one."""

    policy = _Guessing


@frozen(kw_only=True)
class _Refusing:
    """Refuses after the fact.

    Attributes:
        digest_hours: how often a summary is made, in whole days.
    """

    digest_hours: int = 24

    def __attrs_post_init__(self) -> None:
        if self.digest_hours % 24:
            raise ValueError("not a whole day")


@switch("P06")
class RefusesWithoutAPath(Declaring):
    """Refuses a value without a word on which."""

    policy = _Refusing


@frozen(kw_only=True)
class _Silent:
    """Explains nothing."""

    digest_hours: int = 24


@switch("P07")
class ExplainsNoField(Declaring):
    """Has a policy that doesn't say what its fields are for."""

    policy = _Silent

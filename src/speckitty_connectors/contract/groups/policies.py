"""P: what workspaces and projects may want otherwise of a provider can be set, kept and understood."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from attrs import AttrsInstance, fields_dict, has
from attrs.exceptions import FrozenError
from cattrs import BaseValidationError, transform_error

from ...errors import ConfigurationError
from ...policy.schema import PolicySchema
from ...providers.policies import CorePolicy
from ..rules import NotApplicableError, RuleBrokenError, require, rule
from .base import Rules

PLAIN: Mapping[Any, object] = {bool: True, int: 7, float: 7.5, str: "nonsense"}
"""The types of single values, each with one of its values."""


def types_of(schema: type) -> dict[str, Any]:
    """Return the type of each field of an attrs class; None where it has none."""
    hints = get_type_hints(schema)
    return {name: hints.get(name) for name in fields_dict(schema)}


def is_readable(kind: Any) -> bool:
    """Say whether core reads values of a type as they are written in JSON, and takes no other for them.

    >>> is_readable(tuple[str, ...] | None), is_readable(list[str]), is_readable(int | str)
    (True, False, False)
    """
    arguments = get_args(kind)
    if get_origin(kind) is Literal or kind in PLAIN:
        return True
    if get_origin(kind) in (Union, UnionType):
        return len(arguments) == 2 and NoneType in arguments and is_readable(_but_none(kind))
    if get_origin(kind) is tuple:
        return len(arguments) == 2 and is_readable(arguments[0]) and arguments[1] is Ellipsis
    if get_origin(kind) is Mapping:
        return all(map(is_readable, arguments))
    if isinstance(kind, type) and has(kind):
        return all(map(is_readable, types_of(kind).values()))
    return isinstance(kind, type) and issubclass(kind, Enum)


def right_value(kind: Any) -> Any:
    """Return a value of a readable type, as JSON has it.

    >>> right_value(tuple[int, ...] | None), right_value(Literal["daily", "never"])
    ([7], 'daily')
    """
    return _value(kind, _right)


def wrong_value(kind: Any) -> Any:
    """Return a value like those of a readable type, but wrong at its end.

    >>> wrong_value(tuple[int, ...] | None), wrong_value(Literal["daily", "never"])
    ([{}], 'nonsense')
    """
    return _value(kind, lambda single: {} if single in PLAIN else PLAIN[str])


def _right(single: Any) -> Any:
    if single in PLAIN:
        return PLAIN[single]
    return get_args(single)[0] if get_origin(single) is Literal else next(iter(single)).value


def _value(kind: Any, of: Callable[[Any], Any]) -> Any:
    """Build a value whose single values are made by a function; keys are always right."""
    match get_origin(kind):
        case origin if origin in (Union, UnionType):
            return _value(_but_none(kind), of)
        case origin if origin is tuple:
            return [_value(get_args(kind)[0], of)]
        case origin if origin is Mapping:
            key, value = get_args(kind)
            return {_value(key, _right): _value(value, of)}
        case None if has(kind):
            return {name: _value(each, of) for name, each in types_of(kind).items()}
    return of(kind)


def _but_none(kind: Any) -> Any:
    return next(argument for argument in get_args(kind) if argument is not NoneType)


class PolicyRules(Rules):
    """The policy that the plugin declares, where it declares one."""

    @rule("P01")
    def test_p01_the_policy_is_frozen(self) -> None:
        """A policy can't be changed once it is made.

        Each of its fields is assigned to; attrs has to refuse.
        Why: core makes the defaults once, and every handler is given the same.
        Fix: decorate it with attrs.frozen(kw_only=True).
        """
        policy = self._declared_policy()
        blank = policy.__new__(policy)
        for name in fields_dict(policy):
            with suppress(FrozenError):
                setattr(blank, name, None)
                raise RuleBrokenError(f"let the policy's field {name} be assigned to")

    @rule("P02")
    def test_p02_core_reads_every_type(self) -> None:
        """Every field has a type that core reads, and for which it takes no other value.

        The types are compared with those that a policy may have: text, numbers, booleans, words of an enumeration
        or a Literal, tuples of any length (tuple[str, ...]), Mappings, and attrs classes of these; each also with
        None.
        Why: what people set is JSON; a list would take a text for its letters, and Any takes whatever comes.
        Fix: write tuple[str, ...] for a list, a StrEnum for a choice, str for what JSON has no form for.
        """
        strange = _unread(self._declared_policy())
        require(not strange, f"has types that core doesn't read for the policy's {', '.join(strange)}")

    @rule("P03")
    def test_p03_the_defaults_hold(self) -> None:
        """Every field has a default, and somebody could set it.

        The policy is made without a value; then each default is set as a person would.
        Why: a field that nobody names has its default, and a person returns to it by hand.
        Fix: give each field a default of its own type; write | None where the default is None.
        """
        policy = self._readable_policy()
        made = policy()
        bare = [
            name
            for name, kind in types_of(policy).items()
            if getattr(made, name) is None and NoneType not in get_args(kind)
        ]
        require(not bare, f"has None for a default where the type has no None: {', '.join(bare)}")
        try:
            schema = PolicySchema(policy)
        except BaseValidationError as error:
            told = "; ".join(transform_error(error))
            raise RuleBrokenError(f"has a default that isn't of its field's type: {told}") from error
        for name in fields_dict(policy):
            value = schema.resolve().statements[name].value
            refusal = _refusal(schema, name, value)
            require(not refusal, f"refused the default of the policy's field {name}: {refusal}")

    @rule("P04")
    def test_p04_fields_have_names_of_their_own(self) -> None:
        """No field has the name of one that core has for every provider.

        The names are compared.
        Why: a person who sets the one would set the other, and core acts by its own.
        Fix: choose another name, or use core's field.
        """
        both = sorted(fields_dict(self._declared_policy()).keys() & fields_dict(CorePolicy).keys())
        require(not both, f"has core's {', '.join(both)} in its policy")

    @rule("P05")
    def test_p05_what_is_set_is_kept(self) -> None:
        """What somebody sets is stored as JSON, and is the same when it is read again.

        The default and a value of each field's type are set; what is stored is compared, and set once more.
        Why: the value is read at each dispatch; one that changes on the way is nobody's.
        Fix: leave converters out, and let the keys of Mappings be text.
        """
        schema = self._policy_schema()
        for name, kind in types_of(self._declared_policy()).items():
            for value in (schema.resolve().statements[name].value, right_value(kind)):
                if not _refusal(schema, name, value):
                    stored = schema.check({name: value}, subject="")[name]
                    require(stored == value, f"kept {stored!r} where {name} was set to {value!r}")
                    again = schema.check({name: stored}, subject="")[name]
                    require(again == stored, f"read {again!r} where {stored!r} was stored for {name}")

    @rule("P06")
    def test_p06_a_wrong_value_is_refused_by_its_path(self) -> None:
        """A wrong value is refused, and the refusal names the path of its field.

        Each field is set to what isn't of its type; what is of its type may be refused, too.
        Why: a person has to find their mistake; a wrong word that is taken for a right one is never found.
        Fix: say in the type what a value may be, as a StrEnum or a Literal. Enumerations don't guess, and of what a
        validator or __attrs_post_init__ refuses, core can't tell the field.
        """
        schema = self._policy_schema()
        for name, kind in types_of(self._declared_policy()).items():
            wrong, right = wrong_value(kind), right_value(kind)
            require(_refusal(schema, name, wrong), f"took {wrong!r} for a value of the policy's field {name}")
            for value in (wrong, right):
                refusal = _refusal(schema, name, value)
                require(not refusal or f"$.{name}" in refusal, f"refused {value!r} for {name} without its path")

    @rule("P07")
    def test_p07_fields_are_explained(self) -> None:
        """The policy's docstring says what each field is for.

        A line with the field's name, a colon and a text is looked for.
        Why: a person who sets a default for a whole workspace reads this first.
        Fix: write a line under Attributes: the name, a colon, what the host does by it, and the default.
        """
        policy = self._declared_policy()
        text = policy.__doc__ or ""
        bare = [name for name in fields_dict(policy) if not re.search(rf"^\s*{name}: *\S", text, re.MULTILINE)]
        require(not bare, f"doesn't explain the policy's {', '.join(bare)}")

    def _declared_policy(self) -> type[AttrsInstance]:
        policy = self.subject.manifest.policy
        if policy is None:
            raise NotApplicableError("the manifest declares no policy")
        return policy

    def _readable_policy(self) -> type[AttrsInstance]:
        policy = self._declared_policy()
        with suppress(Exception):  # whatever reading the types raises, P02 tells it
            if not _unread(policy):
                return policy
        raise NotApplicableError("core doesn't read its types; see P02")

    def _policy_schema(self) -> PolicySchema:
        policy = self._readable_policy()
        with suppress(Exception):  # whatever making the defaults raises, P03 tells it
            return PolicySchema(policy)
        raise NotApplicableError("the defaults don't hold; see P03")


def _unread(policy: type[AttrsInstance]) -> list[str]:
    return [name for name, kind in types_of(policy).items() if not is_readable(kind)]


def _refusal(schema: PolicySchema, name: str, value: object) -> str:
    """Return why a value can't be set, or empty."""
    try:
        schema.check({name: value}, subject="")
    except ConfigurationError as error:
        return str(error)
    return ""

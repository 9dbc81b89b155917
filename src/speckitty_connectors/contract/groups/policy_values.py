"""Values of a policy's fields: which types core reads, and what a person might set, rightly and wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from attrs import fields_dict, has

PLAIN: Mapping[Any, object] = {bool: True, int: 7, float: 7.5, str: "nonsense"}
"""The types of single values, each with one of its values."""


def types_of(schema: type) -> dict[str, Any]:
    """Return the type of each field of an attrs class; None where it has none.

    Raises:
        NameError: a type names something that isn't there at run time.
    """
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

"""Which fields a provider's policy has, what their values may be, and what the library says of them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, get_origin

from attrs import AttrsInstance, fields_dict
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.cols import homogenous_tuple_structure_factory

from ..errors import ConfigurationError
from ..providers.policies import CorePolicy
from .types import EffectivePolicy, Level, Provenance, Statement, Statements

LIBRARY = Provenance(level=Level.LIBRARY)
"""Where the defaults of the schema come from."""

_Hook = Callable[[Any, Any], Any]
"""Makes a value of a type out of a document."""


def _exactly(*kinds: type) -> _Hook:
    """Return a hook that takes values of these types only; it makes words of an enumeration out of them, too."""

    def take(value: Any, wanted: Any) -> Any:
        if type(value) not in kinds:
            raise TypeError(f"expected {kinds[0].__name__}, not {type(value).__name__}")
        return wanted(value)

    return take


def _from_list(kind: Any, converter: Converter) -> _Hook:
    """Return a hook for tuples that takes lists only: a text would be taken for its letters."""
    structure = homogenous_tuple_structure_factory(kind, converter)

    def take(value: Any, wanted: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise TypeError(f"expected a list, not {type(value).__name__}")
        return structure(value, wanted)

    return take


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _converter(*, forbid_extra_keys: bool) -> Converter:
    converter = Converter(forbid_extra_keys=forbid_extra_keys, unstruct_collection_overrides={tuple: list})
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(int, _exactly(int))
    converter.register_structure_hook(float, _exactly(float, int))
    converter.register_structure_hook(str, _exactly(str))
    converter.register_unstructure_hook(StrEnum, lambda word: word.value)
    converter.register_structure_hook_factory(_is_tuple)(_from_list)
    return converter


_checking = _converter(forbid_extra_keys=True)
"""For what people set: what isn't known is a mistake of theirs."""

_reading = _converter(forbid_extra_keys=False)
"""For what is stored: what isn't known, a newer version may have written."""


class PolicySchema:
    """The fields of core and those of one provider, side by side.

    >>> schema = PolicySchema()
    >>> schema.check({"doctrine_mode": "split", "muted_kinds": None}, subject="")
    {'doctrine_mode': 'split_ownership', 'muted_kinds': None}
    >>> workspace = {"muted_kinds": Statement(value=["star"], source=Provenance(level=Level.WORKSPACE))}
    >>> schema.resolve(workspace).core.muted_kinds
    ('star',)
    """

    def __init__(self, own: type[AttrsInstance] | None = None) -> None:
        self._own = own
        classes: list[type[AttrsInstance]] = [CorePolicy] if own is None else [CorePolicy, own]
        self._classes = {name: each for each in classes for name in fields_dict(each)}
        self._defaults: Statements = {
            name: Statement(value=value, source=LIBRARY)
            for each in classes
            for name, value in _checking.unstructure(each()).items()
        }
        self._default = self._read(self._defaults, {})

    @property
    def names(self) -> Collection[str]:
        """The fields, those of core first."""
        return self._classes.keys()

    def check(self, values: Mapping[str, object], *, subject: str) -> dict[str, Any]:
        """Return values that somebody wants to set, in the form in which they are stored.

        Raises:
            ConfigurationError: a field isn't known, or something in a value isn't what it must be; the text names
                its path.
        """
        self.check_names(values, subject=subject)
        return {name: self._check(name, value, subject) for name, value in values.items()}

    def check_names(self, names: Collection[str], *, subject: str) -> None:
        """Refuse names of fields that aren't known.

        Raises:
            ConfigurationError: there is one.
        """
        for name in names:
            if name not in self._classes:
                near = difflib.get_close_matches(name, self._classes, n=1)
                raise ConfigurationError(
                    f"the policy has no field {name!r}",
                    subject=subject,
                    remedy=f"did you mean {near[0]}?" if near else f"its fields are {', '.join(self._classes)}",
                )

    def resolve(self, *levels: Statements) -> EffectivePolicy:
        """Return what holds when the levels speak one after the other, the broadest first, after the library.

        What this version doesn't understand holds nowhere: its field is inherited. A lock holds all the same.
        """
        if not any(levels):
            return self._default
        statements, passed_over = dict(self._defaults), dict[str, Statement]()
        for level in levels:
            for name, said in level.items():
                understood = self._understands(name, said)
                if not understood:
                    passed_over[name] = passed_over.get(name, Statement()).narrowed_by(said)
                if name in statements:
                    heard = said if understood else Statement(lock=said.lock)
                    statements[name] = statements[name].narrowed_by(heard)
        return self._read(statements, passed_over)

    def _read(self, statements: Statements, passed_over: Statements) -> EffectivePolicy:
        values = {name: said.value for name, said in statements.items()}
        return EffectivePolicy(
            statements=statements,
            core=_reading.structure(values, CorePolicy),
            own=None if self._own is None else _reading.structure(values, self._own),
            passed_over=passed_over,
        )

    def _understands(self, name: str, said: Statement) -> bool:
        if name not in self._classes:
            return False
        try:
            if said.source is not None:
                _reading.structure({name: said.value}, self._classes[name])
        except BaseValidationError:
            return False
        return True

    def _check(self, name: str, value: object, subject: str) -> Any:
        try:
            read = _checking.structure({name: value}, self._classes[name])
            return json.loads(json.dumps(_checking.unstructure(read)[name], allow_nan=False))
        except BaseValidationError as error:
            raise ConfigurationError(
                f"the policy can't be {value!r}: {'; '.join(transform_error(error))}",
                subject=subject,
                remedy="see the fields of the policy and their types in the provider's documentation",
            ) from None
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"the value of the policy's field {name} can't be stored as JSON",
                subject=subject,
                remedy="use text, numbers, booleans, lists, objects or null",
            ) from None


@lru_cache
def schema_of(own: type[AttrsInstance] | None) -> PolicySchema:
    """Return the schema of a provider whose manifest names that class; each is made once."""
    return PolicySchema(own)

"""Which fields a provider's policy has, what their values may be, and their defaults."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from attrs import AttrsInstance, fields_dict
from cattrs import BaseValidationError, transform_error

from ..errors import ConfigurationError
from ..providers.codec import strict_converter
from ..providers.policies import CorePolicy
from .types import EffectivePolicy, Level, Provenance, Statement, Statements

LIBRARY = Provenance(level=Level.LIBRARY)
"""Where the defaults of the schema come from."""

_checking = strict_converter(forbid_extra_keys=True)
"""For what people set: what isn't known is a mistake of theirs."""

_reading = strict_converter(forbid_extra_keys=False)
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
        """Return the effective policy of levels, the broadest first, below the library's defaults.

        What this version doesn't understand applies nowhere: its field is inherited. A lock applies all the same.
        """
        if not any(levels):
            return self._default
        statements, passed_over = dict(self._defaults), dict[str, Statement]()
        for level in levels:
            for name, statement in level.items():
                understood = self._understands(name, statement)
                if not understood:
                    passed_over[name] = passed_over.get(name, Statement()).narrowed_by(statement)
                if name in statements:
                    applied = statement if understood else Statement(lock=statement.lock)
                    statements[name] = statements[name].narrowed_by(applied)
        return self._read(statements, passed_over)

    def _read(self, statements: Statements, passed_over: Statements) -> EffectivePolicy:
        values = {name: statement.value for name, statement in statements.items()}
        return EffectivePolicy(
            statements=statements,
            core=_reading.structure(values, CorePolicy),
            own=None if self._own is None else _reading.structure(values, self._own),
            passed_over=passed_over,
        )

    def _understands(self, name: str, statement: Statement) -> bool:
        if name not in self._classes:
            return False
        try:
            if statement.source is not None:
                _reading.structure({name: statement.value}, self._classes[name])
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

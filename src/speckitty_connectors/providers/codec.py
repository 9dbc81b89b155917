"""The types of the plugin contract as JSON documents, and back: what is stored is what was decided on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, get_origin

from cattrs import BaseValidationError, Converter
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.strategies import configure_tagged_union

from .deliveries import Event, Handshake, Ignored, Lifecycle, Outcome
from .resources import ResourceReference

TAG = "outcome"
"""The key of a document that says which of the four outcomes it is."""

NAMES: Mapping[type[Outcome], str] = {
    Event: "event",
    Lifecycle: "lifecycle",
    Handshake: "handshake",
    Ignored: "ignored",
}
"""Each outcome's word in documents and in the inbox."""


def _write_moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone can't be written; pass an aware datetime")
    return moment.astimezone(UTC).isoformat()


def _converter() -> Converter:
    converter = Converter(unstruct_collection_overrides={Sequence: list})
    converter.register_unstructure_hook(datetime, _write_moment)
    converter.register_unstructure_hook(StrEnum, lambda word: word.value)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    reference = make_dict_unstructure_fn(ResourceReference, converter, named_at=override(omit_if_default=True))
    converter.register_unstructure_hook(ResourceReference, reference)  # few providers say it
    configure_tagged_union(Outcome, converter, tag_name=TAG, tag_generator=lambda kind: NAMES[kind])
    return converter


converter = _converter()
"""Writes and reads every attrs type of the contract: enums by value, moments in ISO 8601 and UTC, tuples as
lists, fields in the order of their definition, so that equal values give equal bytes."""


def to_document(value: object) -> dict[str, Any]:
    """Return an attrs value of the contract as a document; an outcome says which one it is.

    Raises:
        ValueError: a moment in it has no time zone.

    >>> to_document(Ignored(reason="nothing to route"))
    {'reason': 'nothing to route', 'outcome': 'ignored'}
    """
    document: dict[str, Any] = converter.unstructure(value, Outcome if type(value) in NAMES else None)
    return document


def outcome_from(document: Mapping[str, Any]) -> Outcome:
    """Return the outcome that a document describes; keys it doesn't know are left aside.

    Raises:
        ValueError: the document isn't one of an outcome.

    >>> outcome_from({"outcome": "ignored", "reason": "nothing to route"})
    Ignored(reason='nothing to route')
    """
    try:
        outcome: Outcome = converter.structure(document, Outcome)  # type: ignore[arg-type]  # a union is no class
    except (BaseValidationError, KeyError, TypeError) as error:
        raise ValueError(f"the document describes no outcome: {type(error).__name__}") from error
    return outcome


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


def strict_converter(*, forbid_extra_keys: bool) -> Converter:
    """Return a converter for what people write: it makes no value of one type out of another."""
    converter = Converter(forbid_extra_keys=forbid_extra_keys, unstruct_collection_overrides={tuple: list})
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(int, _exactly(int))
    converter.register_structure_hook(float, _exactly(float, int))
    converter.register_structure_hook(str, _exactly(str))
    converter.register_unstructure_hook(StrEnum, lambda word: word.value)
    converter.register_structure_hook_factory(_is_tuple)(_from_list)
    return converter

"""Alterations of recorded answers: what a provider could say of the same list at another time."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from attrs import evolve

from ..providers.resources import Resource
from .scenarios import Exchange, GivenAnswer, Scenario

COUNT: Final = re.compile(r"(x-)?total([-_]?(count|size|results))?|count", re.IGNORECASE)
"""What members and headers are called that count the entries of all pages."""

FOLLOWS: Final[Mapping[str, bool]] = {
    "hasmore": True,
    "hasnextpage": True,
    "islast": False,
    "islastpage": False,
    "last": False,
}
"""What members are called, without their underscores, that say whether more follows, and how they say it."""

MORE: Final = 10


def promising(answer: GivenAnswer, *, leads_on: bool = True) -> GivenAnswer:
    """Return an answer that promises more than is there; unless it leads on, without the cursors to it.

    >>> promising(GivenAnswer(body={"isLast": True, "total": 3, "values": []})).body
    {'isLast': False, 'total': 13, 'values': []}
    """
    headers = {
        name: str(int(value) + MORE) if COUNT.fullmatch(name) and value.isdecimal() else value
        for name, value in answer.headers.items()
    }
    return evolve(answer, headers=headers, body=_promising(answer.body, leads_on=leads_on))


def _promising(value: Any, *, leads_on: bool) -> Any:
    if isinstance(value, list):
        return [_promising(each, leads_on=leads_on) for each in value]
    if not isinstance(value, dict):
        return value
    flags = {
        name: FOLLOWS[_plain(name)]
        for name, each in value.items()
        if _plain(name) in FOLLOWS and type(each) is bool
    }
    altered = {name: _promising(each, leads_on=leads_on) for name, each in value.items()}
    counts = {name: each + MORE for name, each in value.items() if COUNT.fullmatch(name) and type(each) is int}
    cursors = {name: None for name in value if flags and not leads_on and _plain(name).endswith("cursor")}
    return {**altered, **counts, **flags, **cursors}


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def without(resource_id: str, answer: GivenAnswer) -> GivenAnswer:
    """Return an answer without the entries of its lists that have this id.

    >>> without("7", GivenAnswer(body={"boards": [{"id": 7}, {"id": 8}]})).body
    {'boards': [{'id': 8}]}
    """
    return evolve(answer, body=_without(resource_id, answer.body))


def _without(resource_id: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_without(resource_id, each) for each in value if not _is_of(resource_id, each)]
    if isinstance(value, dict):
        return {name: _without(resource_id, each) for name, each in value.items()}
    return value


def _is_of(resource_id: str, entry: object) -> bool:
    return isinstance(entry, dict) and any(str(value) == resource_id for value in entry.values())


def inside(outer: str, resources: Collection[Resource]) -> set[str]:
    """Return the ids of a resource and of all that is in it.

    >>> board = Resource(kind="board", id="2", key="menu", parent_id="1")
    >>> sorted(inside("1", [Resource(kind="space", id="1", key="kitchen"), board]))
    ['1', '2']
    """
    found = {outer}
    while more := {each.id for each in resources if each.parent_id in found} - found:
        found |= more
    return found


def led_to(scenario: Scenario, index: int) -> set[int]:
    """Return the places of the later exchanges that are asked for what stands in the answer of this one."""
    exchanges = scenario.exchanges
    known = _asked(exchanges[index])
    told = _told(exchanges[index]) - known
    led = set()
    for later in range(index + 1, len(exchanges)):
        if told & _asked(exchanges[later]):
            led.add(later)
            told |= _told(exchanges[later]) - known
    return led


def _asked(exchange: Exchange) -> set[str]:
    request = exchange.request
    return set(_words([request.path, request.query, request.body]))


def _told(exchange: Exchange) -> set[str]:
    return set(_words([exchange.answer.headers, exchange.answer.body]))


def _words(value: Any) -> Iterator[str]:
    """Yield the words of texts and numbers at any depth."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _words(each)
    elif isinstance(value, list):
        for each in value:
            yield from _words(each)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield from re.findall(r"\w+", str(value))

"""The router against a memory of all that people said and providers told, in whatever order, on both databases.

`SPECKITTY_MODEL_HISTORIES` says how many histories are tried, for a longer look than the test run's.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from attrs import evolve
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Connection

from model.machine import Model
from model.world import World
from speckitty_connectors import Dispatch, SuggestionState
from speckitty_connectors.mappings import suggestions_keeping
from speckitty_connectors.mappings.suggestions_types import ResourceSuggestion, found_again
from speckitty_connectors.routing import admission, principals
from speckitty_connectors.routing.inference_stage import inference
from speckitty_connectors.routing.router import Router
from speckitty_connectors.routing.stages import explicit_mappings
from testbed.office import open_office

HISTORIES = int(os.environ.get("SPECKITTY_MODEL_HISTORIES", "12"))
"""Histories that are tried on each database; a dozen takes some twenty seconds."""

MOST_TO_FIND_A_FAULT = 60
"""Histories in which each of the faults below has to be found; most are in the first few."""

LOOK = settings(
    max_examples=HISTORIES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
HUNT = settings(
    LOOK, max_examples=MOST_TO_FIND_A_FAULT, phases=[Phase.generate], derandomize=True, database=None, print_blob=False
)
"""Looks for a fault in the same order each time, and is content with the first history that shows it."""

Break = Callable[[pytest.MonkeyPatch], None]


@contextmanager
def machines(database_url: str) -> Iterator[Callable[[], Model]]:
    """Open one office, and yield what makes a machine with a new world in it."""
    handed: Counter[tuple[str, str, str]] = Counter()
    with open_office(database_url) as office:

        @office.connectors.on()
        def take(dispatch: Dispatch, _: Connection) -> None:
            handed[dispatch.event_id, dispatch.installation_id, dispatch.target.id] += 1

        yield lambda: Model(World.at(office, handed))


def test_whatever_happens_each_event_ends_once_and_where_people_said(database_url: str) -> None:
    """One end for each event, in its principal's workspace; mappings before inference; no is no; nothing twice."""
    with machines(database_url) as machine:
        run_state_machine_as_test(machine, settings=LOOK)


def inferring_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git evidence is asked before what people mapped."""
    monkeypatch.setitem(Router.__init__.__kwdefaults__, "stages", (inference, explicit_mappings))


def forgetting_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dismissed suggestion is raised again by the evidence that it was dismissed with."""

    def found(known: ResourceSuggestion, *finding: object) -> ResourceSuggestion:
        state = SuggestionState.OPEN if known.state is SuggestionState.DISMISSED else known.state
        return found_again(evolve(known, state=state), *finding)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(suggestions_keeping, "found_again", found)


def believing_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body chooses the installation, whatever the credential that verified it speaks for."""

    def unbound(connection: Connection, delivery: object) -> principals.Principal:
        return evolve(principals.find_principal(connection, delivery), installation_id="")  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(admission, "find_principal", unbound)


@pytest.mark.parametrize("breaking", [inferring_first, forgetting_a_no, believing_the_body])
def test_the_model_finds_a_fault(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, breaking: Break) -> None:
    """Each of the promises above, broken on purpose, is noticed; else the test above proves nothing."""
    with machines(sqlite_url) as machine:
        breaking(monkeypatch)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(machine, settings=HUNT)

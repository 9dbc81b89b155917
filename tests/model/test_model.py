"""The router against a memory of all that people said and providers told, in whatever order, on both databases.

`SPECKITTY_MODEL_HISTORIES` says how many histories are tried, for a longer look than the test run's.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from attrs import evolve
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Connection

from model.machine import Model
from model.world import World
from speckitty_connectors import Dispatch, SuggestionState
from speckitty_connectors.routing import admission, router
from speckitty_connectors.routing.admission import Tenants, admit
from speckitty_connectors.routing.batch import Case, CaseBatch, Interpretation
from speckitty_connectors.routing.decide import decide
from speckitty_connectors.routing.loading import load
from speckitty_connectors.routing.types import Conclusion, Stage
from speckitty_connectors.suggestions import findings as suggestions_keeping
from speckitty_connectors.suggestions.types import ResourceSuggestion, found_again
from testbed.office import open_office

pytestmark = pytest.mark.soak

HISTORIES = int(os.environ.get("SPECKITTY_MODEL_HISTORIES", "10"))
"""Histories that are tried on each database; ten take some ten seconds."""

MOST_TO_FIND_A_FAULT = 60
"""Histories in which a fault has to be found; a handful is usual."""

LOOK = settings(
    max_examples=HISTORIES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
HUNT = settings(
    LOOK,
    max_examples=MOST_TO_FIND_A_FAULT,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    print_blob=False,
)
"""Looks for a fault in the same order each time, and is content with the first history that shows it."""


@contextmanager
def machine(database_url: str) -> Iterator[type[Model]]:
    """Open one office, and yield a machine of which each run has a new world in it."""
    handed: Counter[tuple[str, str, str]] = Counter()
    with open_office(database_url) as office:

        @office.connectors.on()
        def take(dispatch: Dispatch, _: Connection) -> None:
            handed[dispatch.event_id, dispatch.installation_id, dispatch.target.id] += 1

        class InTheOffice(Model):
            def new_world(self) -> World:
                return World.at(office, handed)

        yield InTheOffice


def test_whatever_happens_each_event_ends_once_and_where_people_said(database_url: str) -> None:
    """One end for each event, in its principal's workspace; mappings before inference; no is no; nothing twice."""
    with machine(database_url) as model:
        run_state_machine_as_test(model, settings=LOOK)


def inferring_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git evidence is asked before what people mapped."""

    def reversed_order(batch: CaseBatch) -> list[Conclusion]:
        unmapped = {key: evolve(known, mappings={}) for key, known in batch.surroundings.items()}
        inferred = decide(evolve(batch, surroundings=unmapped))
        pairs = zip(inferred, decide(batch), strict=True)
        return [first if first.stage is Stage.INFERRED else second for first, second in pairs]

    monkeypatch.setattr(router, "decide", reversed_order)
    monkeypatch.setattr(router, "load", partial(load, proposed=()))


def forgetting_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dismissed suggestion is raised again by the evidence that it was dismissed with."""

    def found(known: ResourceSuggestion, *finding: object) -> ResourceSuggestion:
        state = SuggestionState.OPEN if known.state is SuggestionState.DISMISSED else known.state
        return found_again(evolve(known, state=state), *finding)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(suggestions_keeping, "found_again", found)


def believing_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body chooses the installation, whatever the credential that verified it speaks for."""

    def unbound(interpretation: Interpretation, tenants: Tenants) -> list[Case]:
        of_nobody = evolve(interpretation.delivery, installation_id="")
        return admit(evolve(interpretation, delivery=of_nobody), tenants)

    monkeypatch.setattr(admission, "admit", unbound)


def test_the_model_finds_that_mappings_are_asked_too_late(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is mapped to one project, and looks like another's, has to go to the first."""
    inferring_first(monkeypatch)
    with machine(sqlite_url) as model:
        run = model()
        run.report_name(workspace=0, project=0, how="remote", key=0)
        run.map(place=0, thing="b1", project=1, wanted=())
        with pytest.raises(AssertionError):
            run.event(board="b1", kind="card", branch="main", commits=set(), at_once=True)


def test_the_model_finds_that_a_no_is_forgotten(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person dismissed has to stay so when the inventory is looked over again."""
    forgetting_a_no(monkeypatch)
    with machine(sqlite_url) as model:
        run = model()
        run.report_name(workspace=0, project=0, how="remote", key=0)
        run.refresh(place=0)
        run.dismiss(pick=0)
        run.refresh(place=0)
        with pytest.raises(AssertionError, match="without new evidence"):
            run.what_was_turned_down_stays_so()


def test_the_model_finds_by_itself_that_the_body_is_believed(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody tells the machine where to look: some history has to show that another's workspace is reached."""
    believing_the_body(monkeypatch)
    with machine(sqlite_url) as model, pytest.raises(AssertionError):
        run_state_machine_as_test(model, settings=HUNT)

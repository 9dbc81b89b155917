"""Outcomes as documents: what is stored is what was decided on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors import (
    Account,
    Change,
    Event,
    ExternalIdentity,
    GitFacts,
    Handshake,
    Ignored,
    Lifecycle,
    ResourceReference,
)
from speckitty_connectors.plugin import Outcome
from speckitty_connectors.providers.codec import outcome_from, to_document

moments = st.none() | st.datetimes(timezones=st.just(UTC))
references = st.lists(st.builds(ResourceReference), max_size=3).map(tuple)
people = st.builds(ExternalIdentity)
outcomes = st.one_of(
    st.builds(
        Event,
        account=st.none() | st.builds(Account),
        resources=references,
        actor=st.none() | people,
        git=st.none() | st.builds(GitFacts, from_fork=st.booleans()),
        occurred_at=moments,
    ),
    st.builds(
        Lifecycle,
        resources=references,
        identities=st.lists(people, max_size=3).map(tuple),
        occurred_at=moments,
    ),
    st.builds(Handshake),
    st.builds(Ignored),
)


@given(outcomes)
def test_an_outcome_survives_being_stored_as_json(outcome: Outcome) -> None:
    """Every outcome comes back from its JSON text as it was."""
    assert outcome_from(json.loads(json.dumps(to_document(outcome)))) == outcome


def test_a_document_says_which_outcome_it_is() -> None:
    """Each of the four outcomes is told by the document's key ``outcome``."""
    four = [
        Event(kind="push"),
        Lifecycle(change=Change.SUSPENDED),
        Handshake(),
        Ignored(reason="nothing to route"),
    ]

    assert [to_document(outcome)["outcome"] for outcome in four] == ["event", "lifecycle", "handshake", "ignored"]


def test_moments_are_written_in_utc() -> None:
    """Two moments that are equal give the same bytes, whatever their time zones."""
    berlin = datetime(2026, 1, 2, 13, tzinfo=timezone(timedelta(hours=1)))

    document = to_document(Event(kind="push", occurred_at=berlin))

    assert document["occurred_at"] == "2026-01-02T12:00:00+00:00"


def test_a_moment_without_a_time_zone_is_refused() -> None:
    """A naive moment is an error of the plugin, not something to guess about."""
    with pytest.raises(ValueError, match="time zone"):
        to_document(Event(kind="push", occurred_at=datetime(2026, 1, 2)))  # noqa: DTZ001 - the case itself


def test_keys_of_a_newer_version_are_left_aside() -> None:
    """A document that a newer version wrote can still be read."""
    document = {**to_document(Event(kind="push")), "weather": "fair"}

    assert outcome_from(document) == Event(kind="push")


@pytest.mark.parametrize(
    "document", [{}, {"outcome": "storm"}, {"outcome": "event"}, {"outcome": "event", "kind": []}]
)
def test_what_tells_of_no_outcome_is_refused(document: dict[str, object]) -> None:
    """A document without an outcome, or with a broken one, raises one kind of error."""
    if document.get("kind") == []:
        document = {"outcome": "event", "kind": "push", "resources": 5}

    with pytest.raises(ValueError, match="no outcome"):
        outcome_from(document)

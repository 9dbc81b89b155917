"""What stages work on: an event of one installation, and the functions that place it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen
from sqlalchemy import Connection

from ..installations.types import Installation
from ..providers.deliveries import Event
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from ..resources.repository import identify
from .admission import most_specific
from .types import Conclusion


@frozen(kw_only=True)
class Case:
    """An event of one installation that is to be placed.

    Attributes:
        installation: the installation.
        event: what happened.
        manifest: of the provider's plugin.
    """

    installation: Installation
    event: Event
    manifest: Manifest

    @property
    def subject(self) -> ResourceReference:
        """The most specific resource that the event names: what a review item of it is about."""
        return most_specific(self.manifest, self.event)


PreparedStage = Callable[[Case], Conclusion | None]
"""Decides a case, or answers None to leave it to the next stage."""

PlacingStage = Callable[[Connection, Sequence[Case]], PreparedStage]
"""Loads what a batch of cases needs, with a few queries per installation, and returns what decides each of them."""


def open_case(connection: Connection, installation: Installation, event: Event, manifest: Manifest) -> Case:
    """Return the case of an event, its resources with the ids that can be found."""
    return Case(installation=installation, event=_identified(connection, installation, event), manifest=manifest)


def _identified(connection: Connection, installation: Installation, event: Event) -> Event:
    if all(reference.id for reference in event.resources):
        return event
    references = (
        reference if reference.id else identify(connection, installation, reference)
        for reference in event.resources
    )
    return evolve(event, resources=tuple(references))

"""Finds the immutable ids of resources that a delivery knows by their key of today alone."""

from __future__ import annotations

from attrs import evolve
from sqlalchemy import Connection

from ..installations import repository as installations
from ..installations.types import Installation
from ..providers.deliveries import Event
from ..providers.manifest import Manifest
from .cases import Case


def open_case(connection: Connection, installation: Installation, event: Event, manifest: Manifest) -> Case:
    """Return the case of an event, its resources with the ids that can be found."""
    return Case(installation=installation, event=_identified(connection, installation, event), manifest=manifest)


def _identified(connection: Connection, installation: Installation, event: Event) -> Event:
    if all(reference.id for reference in event.resources):
        return event
    references = (
        reference if reference.id else installations.identify(connection, installation, reference)
        for reference in event.resources
    )
    return evolve(event, resources=tuple(references))

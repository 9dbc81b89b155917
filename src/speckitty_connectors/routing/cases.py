"""What stages work on: an event of one installation, and the functions that place it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen
from sqlalchemy import Connection

from ..installations.types import Installation
from ..providers.deliveries import Event
from .rulings import Interpretation
from .types import Conclusion


@frozen(kw_only=True)
class Case:
    """An event of one installation that is to be placed."""

    interpretation: Interpretation
    installation: Installation
    event: Event


PreparedStage = Callable[[Case], Conclusion | None]
"""Decides a case, or answers None to leave it to the next stage."""

PlacingStage = Callable[[Connection, Sequence[Case]], PreparedStage]
"""Loads what a batch of cases needs, with a few queries per installation, and returns what decides each of them."""

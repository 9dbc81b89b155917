"""All switches.

>>> [switch.__name__ for switch in SWITCHES["L06"]]
['EndsQuietly']
"""

from __future__ import annotations

from . import (
    deliveries,
    installing,
    linking,
    listings,
    manifests,
    policies,
    processes,
    proofs,
    refusals,
    subscribing,
    troubles,
)
from .switches import SWITCHES, Hostile, honest_samples

MODULES = (
    manifests,
    policies,
    proofs,
    refusals,
    deliveries,
    installing,
    linking,
    listings,
    subscribing,
    troubles,
    processes,
)
"""Where the switches are; importing them registers them."""

__all__ = ["SWITCHES", "Hostile", "honest_samples"]

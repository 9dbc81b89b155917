"""All switches.

>>> [switch.__name__ for switch in SWITCHES["L06"]]
['EndsQuietly']
"""

from __future__ import annotations

from . import conversations, deliveries, listings, manifests, processes, proofs
from .switches import SWITCHES, Hostile, honest_samples

MODULES = (manifests, proofs, deliveries, conversations, listings, processes)
"""Where the switches are; importing them registers them."""

__all__ = ["SWITCHES", "Hostile", "honest_samples"]

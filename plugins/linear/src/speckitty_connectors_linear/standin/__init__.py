"""A stand-in of Linear for loopback: one workspace of Linear's, as far as this plugin asks it."""

from .application import LinearStandIn

__all__ = ["LinearStandIn"]

"""A stand-in of GitHub for loopback: its pages, its token end point, and the API as far as this plugin asks it."""

from .application import GitHubStandIn

__all__ = ["GitHubStandIn"]

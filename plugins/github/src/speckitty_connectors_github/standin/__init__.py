"""A stand-in of GitHub for loopback: its pages, its token endpoint, and the API as far as this plugin asks it."""

from .application import GitHubStandIn

__all__ = ["GitHubStandIn"]

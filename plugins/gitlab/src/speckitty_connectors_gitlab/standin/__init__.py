"""A stand-in of GitLab for loopback: its pages, its token endpoints, and the API as far as this plugin asks it."""

from .application import GitLabStandIn

__all__ = ["GitLabStandIn"]

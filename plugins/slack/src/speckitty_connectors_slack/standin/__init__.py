"""A stand-in of Slack for loopback: its pages, its tokens, and the Web API as far as this plugin asks it."""

from .application import SlackStandIn

__all__ = ["SlackStandIn"]

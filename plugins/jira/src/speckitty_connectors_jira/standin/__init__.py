"""A stand-in of Jira for loopback: a Cloud site and a Data Center instance, as far as this plugin asks them."""

from .application import JiraStandIn

__all__ = ["JiraStandIn"]

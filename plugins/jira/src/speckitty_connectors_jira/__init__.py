"""Jira Cloud and Jira Data Center for speckitty-connectors."""

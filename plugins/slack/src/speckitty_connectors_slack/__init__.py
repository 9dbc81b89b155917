"""Slack for speckitty-connectors."""

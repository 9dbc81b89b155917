"""Acme for speckitty-connectors."""

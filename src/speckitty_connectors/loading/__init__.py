"""Finds plugins, checks them, and binds their hooks."""

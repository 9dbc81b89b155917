"""Fails when it is imported."""

raise ImportError("a library that only its author has")

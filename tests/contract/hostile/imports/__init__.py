"""Modules that misbehave when they are imported; each is imported in a process of its own only."""

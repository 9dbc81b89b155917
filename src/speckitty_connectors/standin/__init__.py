"""Providers in memory, for tests and demonstrations."""

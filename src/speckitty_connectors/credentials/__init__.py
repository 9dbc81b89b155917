"""Secrets at rest and in use: sealing, apps, OAuth and app tokens."""

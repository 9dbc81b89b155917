"""Secrets at rest: sealed credentials, and the keys that seal them."""

"""Webhooks that are made through a provider's API: registered, read back, renewed, removed."""

"""Layer 1: a workspace connected to an account, and the resources seen through it."""

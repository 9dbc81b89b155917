"""Access tokens: from the first authorisation to the last renewal."""

"""Which resource probably belongs to which project, and what a person said about it."""

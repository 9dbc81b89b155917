"""Layer 4: a project's exceptions."""

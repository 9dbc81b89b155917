"""Layer 2: a member's own identity under an installation."""

"""GitLab.com and self-managed GitLab for speckitty-connectors."""

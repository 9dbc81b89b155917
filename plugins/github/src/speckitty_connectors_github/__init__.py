"""GitHub and GitHub Enterprise Server for speckitty-connectors."""

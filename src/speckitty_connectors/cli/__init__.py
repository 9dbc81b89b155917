"""The command speckitty-connectors."""

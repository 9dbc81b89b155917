"""Linear for speckitty-connectors."""

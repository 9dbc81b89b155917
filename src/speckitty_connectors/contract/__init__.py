"""What plugin authors test against: the contract suite, and reference providers that need no network."""

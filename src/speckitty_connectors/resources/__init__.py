"""The inventory: what may be mapped, under every id and key that it has had."""

"""Layer 3: resources mapped to targets."""

"""Accept a delivery: limit, verify, de-duplicate, store, acknowledge."""

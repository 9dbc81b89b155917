"""The review queue: what no stage could place waits here for a person."""

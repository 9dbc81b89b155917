"""Hand decisions to the host: claim, run, retry, park."""

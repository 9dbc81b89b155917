"""The operator's apps, and the endpoints at which their deliveries arrive."""

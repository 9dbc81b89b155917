"""One guarded session for every outbound call."""

"""What an event means for a workspace: the decision and its explanation."""

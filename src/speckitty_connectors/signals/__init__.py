"""What the host observed of its projects."""

"""What the public sees: the transparency page, the stop page, appeals, and the API described."""

"""What internet providers call."""

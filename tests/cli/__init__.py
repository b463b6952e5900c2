"""The wardlist command."""

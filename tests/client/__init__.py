"""The provider's side against a running service."""

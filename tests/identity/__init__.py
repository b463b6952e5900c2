"""Sign-in and permissions."""

"""The internet provider's side; imports nothing of the server."""

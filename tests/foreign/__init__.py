"""Programs of others, in other languages, against this service."""

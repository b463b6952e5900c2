"""Organisations, their clients and keys, tokens and permissions."""

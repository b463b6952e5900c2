"""Backup and restore of an installation: rows, keys and what clients were shown, sealed in one file."""

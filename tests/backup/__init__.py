"""Backups, restores and steps forward."""

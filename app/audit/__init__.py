"""Exports that prove themselves."""

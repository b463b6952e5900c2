"""Signed decisions."""

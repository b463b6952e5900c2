"""Leaves and their order."""

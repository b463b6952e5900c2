"""Submission and reading."""

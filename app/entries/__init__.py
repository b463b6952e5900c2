"""Submission of URLs and the life of an entry."""

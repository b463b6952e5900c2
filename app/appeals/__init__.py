"""Complaints against a listing, and their decisions."""

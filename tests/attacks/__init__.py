"""Attacks and known failures, each told as a story."""

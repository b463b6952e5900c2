"""Telling them: what a notice says, and the ways out."""

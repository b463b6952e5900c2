"""Whom to tell: contacts, their file and their interface, and the choice among them."""

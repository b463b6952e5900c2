"""Removal at the source: whom to tell, telling them, and the clock that runs meanwhile."""

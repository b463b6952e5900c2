"""Outside programs that tests drive, started by fixtures."""

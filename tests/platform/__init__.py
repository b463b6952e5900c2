"""Files, database, problems."""

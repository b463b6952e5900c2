"""Lists, versions and the TUF repository."""

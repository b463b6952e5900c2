"""The wardlist command, one file per audience."""

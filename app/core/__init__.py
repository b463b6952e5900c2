"""Pure rules: no framework, no database, no input or output."""

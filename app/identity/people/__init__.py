"""People: who signs in to the console, with which passkeys, and for how long."""

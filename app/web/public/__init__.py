"""Pages for everybody: no sign-in, nothing about who looks."""

"""What providers poll."""

"""What those who were told answer, by the link in a notice."""

"""Other countries: what is referred to and fro."""

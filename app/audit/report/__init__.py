"""The public transparency report: a month at a time, closed, signed, logged."""

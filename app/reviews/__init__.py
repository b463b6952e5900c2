"""Queue, independence, signed decisions and quorum."""

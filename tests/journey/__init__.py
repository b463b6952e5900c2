"""The whole way of one entry, across every room and over borders."""

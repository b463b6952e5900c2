"""Policies, snapshots, formats, the TUF repository and the publisher."""

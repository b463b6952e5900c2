"""Stepping a restored database forward to what was published after its backup.

The public log holds every leaf, so that nothing of the record is lost: leaves are taken over as they are, and
rows follow them as far as leaves tell. What an entry hides stands in no leaf: an entry that was submitted
after the backup is on record, but its address and key are nowhere, so it leaves its list by its own leaf.
"""

"""Replaying the public log: whoever holds the leaves can see that each version had its sign-off.

Nothing but the leaves is trusted here: states are run through the lifecycle again, signatures are verified
with keys that a registered review body certified (a register version carries its own offline signatures),
quorums are counted under the policy that the log recorded, brakes and dates are held to it, and each
version's `commitments_sha256` is computed anew. Source: design sections 3 and 7; docs/log.md.
"""

from collections.abc import Callable, Mapping

from app.core.replay import appeals, entries, lists, participants, reports, staging, takedowns
from app.core.replay.form import read
from app.core.replay.state import (
    SIGNATURE_AGE,
    Checks,
    Deviation,
    Leaf,
    Published,
    Reported,
    World,
    check_signature,
)

__all__ = [
    "RULES",
    "SIGNATURE_AGE",
    "Checks",
    "Deviation",
    "Published",
    "Replay",
    "Reported",
    "check_signature",
    "read",
]

RULES: dict[str, Callable[[World, Leaf], None]] = {
    **participants.RULES,
    **lists.RULES,
    **staging.RULES,
    **entries.RULES,
    **takedowns.RULES,
    **appeals.RULES,
    **reports.RULES,
}
"""What each type of leaf must keep to, and what it changes."""


class Replay(World):
    """Feed it every leaf in order; it raises Deviation at the first that is not as it must be.

    `on_published` hears of each version, with the listed entries' commitments by entry id. `check` is given
    each reviewer's signature; nothing else is put off, so a caller who checks later knows all the rest.
    """

    def feed(self, body: bytes) -> None:
        """Take in the next leaf. Raises Deviation."""
        self.take(read(self.size, body))

    def take(self, leaf: Leaf) -> None:
        """Take in the next leaf, read by somebody who saw that it is in RFC 8785 form. Raises Deviation."""
        try:
            rule = RULES[leaf["type"]]
        except (KeyError, TypeError):
            raise Deviation(self.size, "expected a leaf of a known type") from None
        try:
            rule(self, leaf)
            takedowns.note(self, leaf)
            reports.note(self, leaf)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.fail("a leaf with every member of its type")
        self.size += 1

    def listed_at(self, name: str, log_size: int) -> Mapping[str, str]:
        """Entries (id -> commitment) on a list at a position not before its newest version's.

        Of a list with canaries also at that of the version before, which others may still have.
        """
        found = self.lists[name]
        listed = dict(found.listed)
        if log_size < found.position and found.before:
            was = {entry: stated for entry, stated in found.before.items() if stated}
            return {entry: one for entry, one in listed.items() if entry not in found.before} | was
        for change in found.changes:
            if change.index < log_size and change.commitment:
                listed[change.entry] = change.commitment
            elif change.index < log_size and not change.is_withdrawal:
                listed.pop(change.entry, None)
        return listed

"""Whether a version is so unlike the one before that people must look first.

The same rule stops the publisher and judges a replayed log. Source: the bulk mistake of 2012, when one slip
blocked 8,000 legitimate sites for hours (design section 1).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from app.core.policy import Policy
from app.core.terms import BrakeReason

WINDOW = timedelta(days=1)
"""A slip that trickles in is one all the same: changes of a day count together, up to the last release."""
PEOPLE = 2
"""Organisations whose word releases a brake, one person each."""


@dataclass(frozen=True)
class Difference:
    """What waits to enter and what was withdrawn, as entry ids. Other removals are never held."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    def sha256(self) -> str:
        """What a release names: hex over the sorted lines `+id` and `-id`, each ended by a newline."""
        lines = [f"+{one}\n" for one in self.added] + [f"-{one}\n" for one in self.removed]
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def reason_to_hold(
    policy: Policy, *, added: int, withdrawn: int, live: int, is_protected: bool
) -> BrakeReason | None:
    """Why the version must be held, None when it may go out.

    `added` and `withdrawn` are what waits and what the WINDOW's versions brought; `live` is what stood on the
    list before them.
    """
    if is_protected:
        return BrakeReason.PROTECTED_HOST
    if _is_too_much(policy, added, live):
        return BrakeReason.ADDITIONS
    return BrakeReason.WITHDRAWALS if _is_too_much(policy, withdrawn, live) else None


def is_released(given: Iterable[tuple[str, str, str]], digest: str) -> bool:
    """Whether two people of two organisations gave their word on this very difference.

    `given` holds (organisation, client, digest).
    """
    return len({organisation for organisation, _, stated in given if stated == digest}) >= PEOPLE


def _is_too_much(policy: Policy, count: int, live: int) -> bool:
    if count > policy.brake_changes:
        return True
    return count > policy.brake_free and count * 100 > live * policy.brake_percent

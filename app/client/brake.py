"""The provider's own brake: a version that changes implausibly much is not put in force unasked.

It is the last line: whatever the service signs, a list cannot double or vanish here overnight unseen.
"""

from dataclasses import dataclass
from datetime import timedelta

_OFF_PERCENT = 100


@dataclass(frozen=True)
class Brake:
    """A version is held when it adds, or removes, more than `percent` of the installed entries.

    Changes of up to `free` entries never are, and nothing is at 100 percent. What removes too much, but does
    not add too much, goes in after `hold`: an emergency of the service must not be stuck for ever.
    """

    percent: int = 30
    free: int = 250
    hold: timedelta = timedelta(hours=24)

    def holds(self, installed: int, added: int, removed: int, held_for: timedelta) -> bool:
        """Whether a version with these changes to `installed` entries is held, `held_for` into a hold."""
        if self._is_too_much(installed, added):
            return True
        return self._is_too_much(installed, removed) and held_for < self.hold

    def _is_too_much(self, installed: int, changes: int) -> bool:
        if self.percent >= _OFF_PERCENT:
            return False
        return changes > self.free and changes * 100 > installed * self.percent

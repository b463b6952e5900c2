"""What a step forward has at hand, and what it found that a person must see to."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from app.core.replay import Replay

Leaf = dict[str, Any]


class CannotStep(ValueError):
    """Something was published that rows cannot follow safely. The text says what."""


@dataclass
class Forward:
    """`replay` has taken in every leaf up to the one at hand.

    `touched` are entries that later leaves speak of, with the time of the last that ended one; `lost` are
    entries of which nothing but leaves is left, and `submit_again` those of them that were on their way or on
    a list, by the hotline that has the address still. `listed` is what each list held in the version before,
    `reports` are signed reports that were given, by the digest of what was signed.
    """

    session: Session
    replay: Replay
    now: datetime
    touched: dict[str, datetime | None] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    submit_again: dict[str, list[str]] = field(default_factory=dict)
    listed: dict[str, set[str]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    reports: dict[str, str] = field(default_factory=dict)
    _notes: Counter[str] = field(default_factory=Counter)

    def note(self, what: str) -> None:
        """Something that the log does not tell, for a person to see to."""
        self._notes[what] += 1

    @property
    def notes(self) -> list[str]:
        """Each once, with how often."""
        return [f"{what} ({count})" for what, count in sorted(self._notes.items())]


def moment(text: str) -> datetime:
    """A leaf's time."""
    return datetime.fromisoformat(text)

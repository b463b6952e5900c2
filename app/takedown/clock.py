"""When what happens in a takedown: a pure decision over where it stands. Sources: docs/takedown.md.

Whoever was told has the policy's hours to answer, then is reminded, then the next one is told. Whoever
acknowledged has until the removal date, and is treated alike after it. A refusal, or a message that could not
be delivered, goes to the next one at once. When there is nobody left, contacts are looked up anew within
a day of any change to them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.lifecycle import Takedown
from app.core.policy import Policy

LOOK_AGAIN = timedelta(days=1)
"""For new contacts, when nobody is left to tell."""
PATIENCE = timedelta(minutes=5)
"""For a notice that is on its way out."""


class Step(StrEnum):
    """What the clock asks for."""

    WAIT = "wait"
    TELL_NEXT = "tell_next"
    REMIND = "remind"


@dataclass(frozen=True)
class Standing:
    """What the decision looks at. Dates are None where nothing is due."""

    state: Takedown
    reminders: int
    is_sending: bool
    held_until: datetime | None
    acknowledge_due_at: datetime | None
    removal_due_at: datetime | None


@dataclass(frozen=True)
class Move:
    """What to do now, and when to look again: None when somebody has to act first."""

    step: Step
    look_at: datetime | None


def move(at: Standing, policy: Policy, now: datetime) -> Move:
    """What a takedown's clock asks for at this moment."""
    if at.state is Takedown.REMOVED:
        return Move(Step.WAIT, None)
    if at.held_until and now < at.held_until:
        return Move(Step.WAIT, at.held_until)
    if at.is_sending:
        return Move(Step.WAIT, now + PATIENCE)
    due = due_at(at)
    if due is not None and now < due:
        return Move(Step.WAIT, due)
    is_told = at.state in (Takedown.NOTIFIED, Takedown.ACKNOWLEDGED)
    if is_told and at.reminders < policy.reminders:
        return Move(Step.REMIND, now + PATIENCE)
    return Move(Step.TELL_NEXT, now + PATIENCE)


def due_at(at: Standing) -> datetime | None:
    """When whoever was told is late: to answer, or having answered to remove."""
    match at.state:
        case Takedown.NOTIFIED:
            return at.acknowledge_due_at
        case Takedown.ACKNOWLEDGED:
            return max(filter(None, (at.removal_due_at, at.acknowledge_due_at)), default=None)
        case _:
            return None

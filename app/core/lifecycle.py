"""The life of an entry and of its takedown: two closed state machines.

Every transition, whoever causes it, is looked up here before anything is written. Source: design
section 3 ("An entry's life").
"""

from enum import StrEnum


class Status(StrEnum):
    """Where an entry stands."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    LISTED = "listed"
    DELISTED = "delisted"
    ERASED = "erased"


class Event(StrEnum):
    """What can happen to an entry."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    LIST = "list"
    DELIST = "delist"
    ERASE = "erase"
    REOPEN = "reopen"
    TAKE_BACK = "take_back"
    REINSTATE = "reinstate"


class DelistReason(StrEnum):
    """Why an entry left its list."""

    REMOVED_AT_SOURCE = "removed_at_source"
    EXPIRED = "expired"
    NOT_REAFFIRMED = "not_reaffirmed"
    APPEAL_UPHELD = "appeal_upheld"
    WITHDRAWN = "withdrawn"
    EMERGENCY = "emergency"


class Takedown(StrEnum):
    """Where the removal at the source stands."""

    NOT_STARTED = "not_started"
    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    REMOVED = "removed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class TakedownEvent(StrEnum):
    """What can happen to a takedown."""

    NOTIFY = "notify"
    ACKNOWLEDGE = "acknowledge"
    REMOVE = "remove"
    REFUSE = "refuse"
    LOSE_CONTACT = "lose_contact"
    REOPEN = "reopen"


class NotAllowed(ValueError):
    """The event cannot happen in this state. Carries both, for the caller's answer."""

    def __init__(self, state: StrEnum, event: StrEnum) -> None:
        super().__init__(f"{event.value} is not possible while {state.value}")
        self.state = state
        self.event = event


# Reopened: a vote of its quorum no longer counts. Taken back: its version failed at the canaries. Reinstated:
# it left only because an appeal waited too long, and the appeal was denied.
_ENTRY: dict[tuple[Status, Event], Status] = {
    (Status.SUBMITTED, Event.APPROVE): Status.APPROVED,
    (Status.SUBMITTED, Event.REJECT): Status.REJECTED,
    (Status.SUBMITTED, Event.WITHDRAW): Status.WITHDRAWN,
    (Status.APPROVED, Event.LIST): Status.LISTED,
    (Status.APPROVED, Event.WITHDRAW): Status.WITHDRAWN,
    (Status.APPROVED, Event.DELIST): Status.DELISTED,
    (Status.LISTED, Event.DELIST): Status.DELISTED,
    (Status.APPROVED, Event.REOPEN): Status.SUBMITTED,
    (Status.LISTED, Event.TAKE_BACK): Status.APPROVED,
    (Status.DELISTED, Event.REINSTATE): Status.APPROVED,
    (Status.REJECTED, Event.ERASE): Status.ERASED,
    (Status.WITHDRAWN, Event.ERASE): Status.ERASED,
    (Status.DELISTED, Event.ERASE): Status.ERASED,
}

# A provider may answer, or go silent, at any moment after it was told, and change its mind; what it says
# it removed may prove to be there still.
_TAKEDOWN: dict[tuple[Takedown, TakedownEvent], Takedown] = {
    (Takedown.NOT_STARTED, TakedownEvent.NOTIFY): Takedown.NOTIFIED,
    (Takedown.NOT_STARTED, TakedownEvent.LOSE_CONTACT): Takedown.UNREACHABLE,
    (Takedown.NOT_STARTED, TakedownEvent.REMOVE): Takedown.REMOVED,
    (Takedown.NOTIFIED, TakedownEvent.ACKNOWLEDGE): Takedown.ACKNOWLEDGED,
    (Takedown.NOTIFIED, TakedownEvent.REMOVE): Takedown.REMOVED,
    (Takedown.NOTIFIED, TakedownEvent.REFUSE): Takedown.REFUSED,
    (Takedown.NOTIFIED, TakedownEvent.LOSE_CONTACT): Takedown.UNREACHABLE,
    (Takedown.ACKNOWLEDGED, TakedownEvent.REMOVE): Takedown.REMOVED,
    (Takedown.ACKNOWLEDGED, TakedownEvent.REFUSE): Takedown.REFUSED,
    (Takedown.ACKNOWLEDGED, TakedownEvent.LOSE_CONTACT): Takedown.UNREACHABLE,
    (Takedown.REFUSED, TakedownEvent.NOTIFY): Takedown.NOTIFIED,
    (Takedown.REFUSED, TakedownEvent.ACKNOWLEDGE): Takedown.ACKNOWLEDGED,
    (Takedown.REFUSED, TakedownEvent.REMOVE): Takedown.REMOVED,
    (Takedown.REFUSED, TakedownEvent.LOSE_CONTACT): Takedown.UNREACHABLE,
    (Takedown.UNREACHABLE, TakedownEvent.NOTIFY): Takedown.NOTIFIED,
    (Takedown.UNREACHABLE, TakedownEvent.ACKNOWLEDGE): Takedown.ACKNOWLEDGED,
    (Takedown.UNREACHABLE, TakedownEvent.REFUSE): Takedown.REFUSED,
    (Takedown.UNREACHABLE, TakedownEvent.REMOVE): Takedown.REMOVED,
    (Takedown.REMOVED, TakedownEvent.REOPEN): Takedown.NOTIFIED,
}

URGENT = frozenset(DelistReason) - {DelistReason.WITHDRAWN}
"""Reasons for which an entry leaves at once, whatever is held."""

OPEN = frozenset({Status.SUBMITTED, Status.APPROVED, Status.LISTED})
"""States in which the same URL, scope and list cannot be entered a second time."""

LIVE = frozenset({Status.APPROVED, Status.LISTED})
"""States of an entry that was signed off and stands: of it somebody may be told."""

SETTLED = frozenset({Status.REJECTED, Status.WITHDRAWN, Status.DELISTED})
"""States in which an entry waits for its retention time to end."""


def after(status: Status, event: Event) -> Status:
    """The state that follows. Raises NotAllowed when the event cannot happen in this state."""
    try:
        return _ENTRY[status, event]
    except KeyError:
        raise NotAllowed(status, event) from None


def takedown_after(state: Takedown, event: TakedownEvent) -> Takedown:
    """The takedown state that follows. Raises NotAllowed when the event cannot happen."""
    try:
        return _TAKEDOWN[state, event]
    except KeyError:
        raise NotAllowed(state, event) from None

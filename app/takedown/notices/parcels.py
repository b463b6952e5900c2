"""What a notice carries: all that a channel needs to send it, gathered when it is sent and kept nowhere."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from app.core.terms import ContactKind, NoticeKind, NoticeOutcome


@dataclass(frozen=True)
class Parcel:
    """A notice with its contact and what its entry hides. Never shown by repr.

    `id` is the notice's, the same in every try; `report` that of the first notice of the same entry to the
    same contact, which reminders and retractions refer to. `link` is where it is answered, `address` the
    contact's: of a peer, its organisation's id. A retraction has no `url`. `held_until` is until when nobody
    is told, for law enforcement. Two tries differ in `attempt` only, unless the contact changed in between.
    """

    id: str
    report: str
    kind: NoticeKind
    attempt: int
    made_at: datetime
    language: str
    contact_id: str
    contact_kind: ContactKind
    contact_name: str
    address: str = field(repr=False)
    link: str | None = field(repr=False)
    expires_at: datetime
    entry_id: str
    list: str
    scope: str
    measures: tuple[str, ...]
    legal_ground: str
    material: str
    hosting_country: str
    jurisdiction: str | None
    assessed_at: datetime
    removal_due_at: datetime | None
    url: str | None = field(repr=False)
    statement: str | None = field(repr=False)
    hosting_address: str | None = field(repr=False)
    hosting_provider: str | None = field(default=None, repr=False)
    scope_reason: str | None = field(default=None, repr=False)
    held_until: datetime | None = None


@dataclass(frozen=True)
class Sent:
    """What became of one try: SENT, FAILED for good, or None: try again. `failure` is a code, no address.

    With `is_refused` the other side said that it did not take it: it does not have it.
    """

    outcome: NoticeOutcome | None
    failure: str | None = None
    is_refused: bool = False


Channel = Callable[[Parcel, Callable[[], None]], Sent]
"""Sends a parcel. It calls the second argument right before the moment after which the other side may have
the message though nothing is heard: after a crash there it may arrive a second time, under the same id. That
call raises `Overtaken` when the notice is not to be sent after all: a channel lets it pass, and hangs up."""


class Overtaken(Exception):
    """A notice was cancelled, held or taken over by another process while it was on its way."""

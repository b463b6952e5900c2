"""Tables of contacts, of takedowns and their notices, and of what peers are told."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON
from sqlmodel import Field, SQLModel

from app.core.terms import (
    Channel,
    ContactKind,
    Deconfliction,
    Excuse,
    MessageType,
    NoticeKind,
    NoticeOutcome,
    ProviderClass,
)
from app.platform.database import UtcDateTime, word

_OPEN = sa.text("ended_at IS NULL")
_UNDONE = sa.text("done_at IS NULL")
_UNSEEN = sa.text("removed_at IS NOT NULL AND confirmed_at IS NULL AND ended_at IS NULL")
_HELD = sa.text("held_until IS NOT NULL")


def _index_in_force(name: str, *columns: str) -> sa.Index:
    """Of contacts in force that have the first column: empty ones would make SQLite think it finds little."""
    where = sa.text(f"{columns[0]} IS NOT NULL AND ended_at IS NULL")
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


class Contact(SQLModel, table=True):
    """Somebody who can be told, as of its newest version; ended ones stay, for notices that went there.

    `country`, `host_suffix`, `network` (CIDR) and `name` are what it is found by. `address` is a mail
    address, a webhook's, or for a peer its organisation's id. Of several that fit alike the lowest `rank` is
    told first. `name_key` is the name as names are compared.
    """

    __table_args__ = (
        _index_in_force("contact_by_country", "country", "kind"),
        sa.Index("contact_by_name", "name_key", sqlite_where=_OPEN, postgresql_where=_OPEN),
        _index_in_force("contact_by_host", "host_suffix"),
        _index_in_force("contact_by_network", "network"),
    )

    id: str = Field(primary_key=True)
    version: int
    kind: ContactKind = word(ContactKind)
    name: str
    name_key: str
    country: str | None = None
    host_suffix: str | None = None
    network: str | None = None
    provider_class: ProviderClass = word(ProviderClass, default=ProviderClass.OTHER)
    language: str = "en"
    channel: Channel = word(Channel)
    address: str
    rank: int = 0
    changed_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ContactVersion(SQLModel, table=True):
    """What a contact was from that version on. `client_id` is who changed it by the API."""

    __tablename__ = "contact_version"

    contact_id: str = Field(primary_key=True, foreign_key="contact.id")
    version: int = Field(primary_key=True)
    content: dict[str, Any] = Field(sa_type=JSON)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    client_id: str | None = None


class RoutingMark(SQLModel, table=True):
    """One row, drawn anew by the database with each change of contacts, peers and lists' policies."""

    __tablename__ = "routing_mark"

    id: int = Field(primary_key=True)
    mark: str


class Takedown(SQLModel, table=True):
    """The clock of an entry's removal, opened when the entry was approved. Its state is the entry's.

    `turn` is that of the entry's `routed_by` that was told last; `due_at` when the clock is to be looked
    at again, None once it has ended. With `rests_until` alike nobody was left to tell, as things were at the
    mark `rests_as` (app/takedown/contacts/routing.py). `reminders` went to that contact. `held_until` is when
    law enforcement has been heard; `hold_organisation_id` is set where it asked. `provider_class` is that of
    the first contact told. The times are those of the figures.
    """

    __tablename__ = "takedown_clock"
    __table_args__ = (
        sa.Index("takedown_due", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index("takedown_by_organisation", "organisation_id", "ended_at"),
        sa.Index("takedown_late", "removal_due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index("takedown_unanswered", "acknowledge_due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index("takedown_unseen", "removed_at", sqlite_where=_UNSEEN, postgresql_where=_UNSEEN),
        sa.Index("takedown_held", "held_until", sqlite_where=_HELD, postgresql_where=_HELD),
    )

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    organisation_id: str = Field(foreign_key="organisation.id")
    list: str = Field(foreign_key="block_list.name")
    country: str
    opened_at: datetime = Field(sa_type=UtcDateTime)
    turn: int = 0
    reminders: int = 0
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    rests_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    rests_as: str | None = None
    removal_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledge_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    first_notice_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    excuse: Excuse | None = word(Excuse, default=None)
    refusal: str | None = None
    provider_class: ProviderClass | None = word(ProviderClass, default=None)
    hold_reason: Deconfliction | None = word(Deconfliction, default=None)
    hold_organisation_id: str | None = Field(default=None, foreign_key="organisation.id")
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Notice(SQLModel, table=True):
    """One message to one contact about one entry, without the URL: that is put in when it is sent.

    `event` makes it one of its kind; no event has two. Until `done_at`, `next_at` says when it is due.
    `begun_at` is when the try that sent it was begun, `begun_after` the newest leaf's row then, `at_risk`
    whether a mail server may have it already though nothing was heard. `answers` counts how often its link
    was used.
    """

    __table_args__ = (
        sa.Index("notice_due", "next_at", sqlite_where=_UNDONE, postgresql_where=_UNDONE),
        sa.Index("notice_by_entry", "entry_id", "made_at"),
    )

    id: str = Field(primary_key=True)
    event: str = Field(unique=True)
    entry_id: str = Field(foreign_key="entry.id")
    kind: NoticeKind = word(NoticeKind)
    turn: int
    contact_id: str = Field(foreign_key="contact.id")
    contact_version: int
    contact_kind: ContactKind = word(ContactKind)
    channel: Channel = word(Channel)
    language: str
    made_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    begun_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    begun_after: int | None = None
    at_risk: bool = False
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    outcome: NoticeOutcome | None = word(NoticeOutcome, default=None)
    failure: str | None = None
    answers: int = 0
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Peer(SQLModel, table=True):
    """Another country's instance: a local hotline organisation, and how it is reached.

    It signs with the keys of `client_id`; `recipient` (age) is what messages to it are sealed to. What it
    refers is submitted to `list`.
    """

    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    client_id: str = Field(foreign_key="client.id", unique=True)
    address: str
    recipient: str
    list: str = Field(foreign_key="block_list.name")
    added_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Referral(SQLModel, table=True):
    """An entry that one instance asked another to remove. `id` is the notice's that asked, on both sides.

    `told` is what the asking side last heard, or was last told, and `told_at` the time of that message;
    nothing follows once `ended_at`.
    """

    __table_args__ = (
        sa.Index("referral_by_entry", "entry_id"),
        sa.Index("referral_by_peer", "peer_id", "made_at"),
        sa.Index("referral_open", "made_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: str = Field(primary_key=True)
    peer_id: str = Field(primary_key=True, foreign_key="peer.organisation_id")
    is_ours: bool
    entry_id: str | None = Field(default=None, foreign_key="entry.id")
    made_at: datetime = Field(sa_type=UtcDateTime)
    told: str | None = None
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PeerMessage(SQLModel, table=True):
    """What a peer is to be told of a referral of its; a referral itself is a notice. No URL."""

    __tablename__ = "peer_message"
    __table_args__ = (
        sa.Index("peer_message_due", "next_at", sqlite_where=_UNDONE, postgresql_where=_UNDONE),
    )

    id: str = Field(primary_key=True)
    event: str = Field(unique=True)
    peer_id: str = Field(foreign_key="peer.organisation_id")
    referral_id: str
    type: MessageType = word(MessageType)
    content: dict[str, Any] = Field(sa_type=JSON)
    made_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: NoticeOutcome | None = word(NoticeOutcome, default=None)


class ReceivedMessage(SQLModel, table=True):
    """A peer's message that was acted on, so that its repetition is not."""

    __tablename__ = "received_message"

    peer_id: str = Field(primary_key=True, foreign_key="peer.organisation_id")
    id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)

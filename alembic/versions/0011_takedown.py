"""takedown: contacts, notices, clocks, peers, and authorities that read a list"""

import sqlalchemy as sa

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
WORD = sa.String(40)
OPEN = sa.text("ended_at IS NULL")
UNDONE = sa.text("done_at IS NULL")
UNSEEN = sa.text("removed_at IS NOT NULL AND confirmed_at IS NULL AND ended_at IS NULL")
HELD = sa.text("held_until IS NOT NULL")
DUE = sa.text("takedown_due")
NOTICED = sa.text("status = 'APPROVED' AND is_blocking AND notice_at IS NOT NULL")
UNROUTED = sa.text("NOT status <> 'APPROVED' AND is_blocking AND notice_at IS NULL AND routed_by IS NULL")
TABLES = (
    "received_message",
    "peer_message",
    "referral",
    "peer",
    "notice",
    "takedown_clock",
    "contact_version",
    "contact",
    "list_reader",
)


def upgrade() -> None:
    """Entries there are have no clock: nobody was told of them by this service."""
    op.add_column("entry", sa.Column("takedown_due", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("entry", sa.Column("notice_at", INSTANT, nullable=True))
    op.add_column("entry", sa.Column("routed_by", sa.JSON(), nullable=True))
    op.create_index("entry_takedown_due", "entry", ["seq"], sqlite_where=DUE, postgresql_where=DUE)
    noticed = {"sqlite_where": NOTICED, "postgresql_where": NOTICED}
    op.create_index("entry_noticed", "entry", ["list", "notice_at"], **noticed)
    op.create_index("entry_unrouted", "entry", ["seq"], sqlite_where=UNROUTED, postgresql_where=UNROUTED)
    _contacts()
    _clocks()
    _peers()
    _readers()


def _contacts() -> None:
    op.create_table(
        "contact",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("host_suffix", sa.String(), nullable=True),
        sa.Column("network", sa.String(), nullable=True),
        sa.Column("provider_class", WORD, nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("channel", WORD, nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
    )
    op.create_index("contact_by_name", "contact", ["name_key"], sqlite_where=OPEN, postgresql_where=OPEN)
    for name, columns in (
        ("contact_by_country", ["country", "kind"]),
        ("contact_by_host", ["host_suffix"]),
        ("contact_by_network", ["network"]),
    ):
        filled = sa.text(f"{columns[0]} IS NOT NULL AND ended_at IS NULL")
        op.create_index(name, "contact", columns, sqlite_where=filled, postgresql_where=filled)
    op.create_table(
        "contact_version",
        sa.Column("contact_id", sa.String(), sa.ForeignKey("contact.id"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
    )


def _clocks() -> None:
    op.create_table(
        "takedown_clock",
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), primary_key=True),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("removal_due_at", INSTANT, nullable=True),
        sa.Column("acknowledge_due_at", INSTANT, nullable=True),
        sa.Column("first_notice_at", INSTANT, nullable=True),
        sa.Column("acknowledged_at", INSTANT, nullable=True),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.Column("confirmed_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("excuse", WORD, nullable=True),
        sa.Column("refusal", sa.String(), nullable=True),
        sa.Column("provider_class", WORD, nullable=True),
        sa.Column("hold_reason", WORD, nullable=True),
        sa.Column("hold_organisation_id", sa.String(), sa.ForeignKey("organisation.id"), nullable=True),
        sa.Column("held_until", INSTANT, nullable=True),
    )
    op.create_index("takedown_due", "takedown_clock", ["due_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("takedown_by_organisation", "takedown_clock", ["organisation_id", "ended_at"])
    for name, column, where in (
        ("takedown_late", "removal_due_at", OPEN),
        ("takedown_unanswered", "acknowledge_due_at", OPEN),
        ("takedown_unseen", "removed_at", UNSEEN),
        ("takedown_held", "held_until", HELD),
    ):
        op.create_index(name, "takedown_clock", [column], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "notice",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("event", sa.String(), nullable=False, unique=True),
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.String(), sa.ForeignKey("contact.id"), nullable=False),
        sa.Column("contact_version", sa.Integer(), nullable=False),
        sa.Column("contact_kind", WORD, nullable=False),
        sa.Column("channel", WORD, nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=True),
        sa.Column("begun_at", INSTANT, nullable=True),
        sa.Column("at_risk", sa.Boolean(), nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("outcome", WORD, nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
    )
    op.create_index("notice_by_entry", "notice", ["entry_id", "made_at"])
    op.create_index("ix_notice_done_at", "notice", ["done_at"])
    op.create_index("notice_due", "notice", ["next_at"], sqlite_where=UNDONE, postgresql_where=UNDONE)


def _peers() -> None:
    op.create_table(
        "peer",
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("client_id", sa.String(), sa.ForeignKey("client.id"), nullable=False, unique=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
    )
    op.create_table(
        "referral",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("peer_id", sa.String(), sa.ForeignKey("peer.organisation_id"), primary_key=True),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), nullable=True),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("told", sa.String(), nullable=True),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
    )
    op.create_index("referral_by_entry", "referral", ["entry_id"])
    op.create_index("referral_by_peer", "referral", ["peer_id", "made_at"])
    op.create_index("referral_open", "referral", ["made_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "peer_message",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("event", sa.String(), nullable=False, unique=True),
        sa.Column("peer_id", sa.String(), sa.ForeignKey("peer.organisation_id"), nullable=False),
        sa.Column("referral_id", sa.String(), nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=True),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("outcome", WORD, nullable=True),
    )
    op.create_index(
        "peer_message_due", "peer_message", ["next_at"], sqlite_where=UNDONE, postgresql_where=UNDONE
    )
    op.create_table(
        "received_message",
        sa.Column("peer_id", sa.String(), sa.ForeignKey("peer.organisation_id"), primary_key=True),
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
    )
    op.create_index("ix_received_message_at", "received_message", ["at"])


def _readers() -> None:
    op.create_table(
        "list_reader",
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), primary_key=True),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("created_at", INSTANT, nullable=False),
    )


def downgrade() -> None:
    """Without any of it."""
    for table in TABLES:
        op.drop_table(table)
    for index in ("entry_unrouted", "entry_noticed", "entry_takedown_due"):
        op.drop_index(index, "entry")
    for column in ("routed_by", "notice_at", "takedown_due"):
        op.drop_column("entry", column)

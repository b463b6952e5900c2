"""entries sealed under epoch keys, legal holds"""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

HOLD_REASONS = sa.Enum("INVESTIGATION", "PROSECUTION", "COURT_ORDER", name="holdreason")


def upgrade() -> None:
    """Texts move out of clear; this schema was never in service with entries in the old form."""
    op.create_table(
        "entry_key",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"]),
        sa.PrimaryKeyConstraint("entry_id"),
    )
    op.create_index("ix_entry_key_epoch", "entry_key", ["epoch"])
    op.create_table(
        "entry_cipher",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"]),
        sa.PrimaryKeyConstraint("entry_id"),
    )
    op.create_table(
        "epoch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO epoch (id, number) VALUES (1, 1)")
    op.create_table(
        "legal_hold",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("reason", HOLD_REASONS, nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("entry_id", "organisation_id"),
    )
    op.drop_table("entry_secret")
    op.add_column("entry", sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_column("review", "reason")
    op.add_column("review", sa.Column("reason", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Back to the old tables; what was sealed stays unread."""
    op.drop_column("review", "reason")
    op.add_column("review", sa.Column("reason", sa.String(), nullable=True))
    op.drop_column("entry", "settled_at")
    op.create_table(
        "entry_secret",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("commitment_key", sa.LargeBinary(), nullable=False),
        sa.Column("canonical_url", sa.String(), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("hotline_reference", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"]),
        sa.PrimaryKeyConstraint("entry_id"),
    )
    for table in ("legal_hold", "epoch", "entry_cipher", "entry_key"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        HOLD_REASONS.drop(op.get_bind())

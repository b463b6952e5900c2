"""appeals, and the earlier stays of entries that came back"""

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Nothing of an appeal is in clear but its dates and its decision."""
    op.create_table(
        "appeal",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("log_id", sa.String(), nullable=False, unique=True),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), nullable=True),
        sa.Column("proof", sa.String(), nullable=True),
        sa.Column("filed_at", INSTANT, nullable=False),
        sa.Column("decide_by", INSTANT, nullable=False),
        sa.Column("matched_at", INSTANT, nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), nullable=True),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("ownership_confirmed", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("signature", sa.String(), nullable=True),
        sa.Column("destroy_by", INSTANT, nullable=True, index=True),
        sqlite_autoincrement=True,
    )
    undecided, unmatched = sa.text("decided_at IS NULL"), sa.text("matched_at IS NULL")
    op.create_index(
        "appeal_undecided", "appeal", ["decide_by"], sqlite_where=undecided, postgresql_where=undecided
    )
    op.create_index("appeal_unmatched", "appeal", ["seq"], sqlite_where=unmatched, postgresql_where=unmatched)
    op.create_table(
        "appeal_key",
        sa.Column("appeal_id", sa.String(), sa.ForeignKey("appeal.id"), primary_key=True),
        sa.Column("epoch", sa.Integer(), nullable=False, index=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "appeal_cipher",
        sa.Column("appeal_id", sa.String(), sa.ForeignKey("appeal.id"), primary_key=True),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "appeal_entry",
        sa.Column("appeal_id", sa.String(), sa.ForeignKey("appeal.id"), primary_key=True),
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), primary_key=True, index=True),
        sa.Column("is_expired", sa.Boolean(), nullable=False, index=True),
    )
    op.create_table(
        "earlier_stay",
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), primary_key=True),
        sa.Column("listed_in", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("delisted_in", sa.Integer(), nullable=False),
    )
    op.create_index("ix_entry_fingerprint", "entry", ["fingerprint"])


def downgrade() -> None:
    """Appeals go, and so does the memory of earlier stays."""
    op.drop_index("ix_entry_fingerprint", "entry")
    for table in ("earlier_stay", "appeal_entry", "appeal_cipher", "appeal_key", "appeal"):
        op.drop_table(table)

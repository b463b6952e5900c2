"""indicators: what authorities that read a list have of it, in the order it was added"""

import sqlalchemy as sa

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Empty: the publisher fills them for each list that somebody may read."""
    op.create_table(
        "indicator",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), nullable=False),
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), nullable=False),
        sa.Column("listed_in", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("valid_until", INSTANT, nullable=True),
        sa.Column("is_revoked", sa.Boolean(), nullable=False),
    )
    op.create_index("indicator_by_date", "indicator", ["list", "added_at"], unique=True)
    op.create_index("ix_indicator_entry_id", "indicator", ["entry_id"])
    op.create_table(
        "indicator_progress",
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("listed_in", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("recheck", sa.Integer(), nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("tidied_at", INSTANT, nullable=False),
    )


def downgrade() -> None:
    """Without any of it."""
    op.drop_table("indicator_progress")
    op.drop_table("indicator")

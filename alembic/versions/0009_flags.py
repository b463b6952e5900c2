"""hotlines flagged for suspension, and an index of entries that an upheld appeal ended"""

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Both start empty."""
    op.create_table(
        "organisation_flag",
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), primary_key=True),
        sa.Column("overturned", sa.Integer(), nullable=False),
        sa.Column("looked_at", INSTANT, nullable=False),
        sa.Column("flagged_at", INSTANT, nullable=True),
        sa.Column("forgiven", sa.Integer(), nullable=False),
    )
    upheld = sa.text("delist_reason = 'APPEAL_UPHELD'")
    op.create_index(
        "entry_overturned",
        "entry",
        ["organisation_id", "list"],
        sqlite_where=upheld,
        postgresql_where=upheld,
    )


def downgrade() -> None:
    """Flags go; the log keeps them."""
    op.drop_index("entry_overturned", "entry")
    op.drop_table("organisation_flag")

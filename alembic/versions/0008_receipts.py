"""receipts, and whether a staged version went on to all"""

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Versions there are were never staged."""
    op.create_table(
        "receipt",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("applied_at", INSTANT, nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.UniqueConstraint("client_id", "list", "version", "outcome", "applied_at", name="receipt_once"),
    )
    op.create_index("receipt_by_version", "receipt", ["list", "version"])
    with op.batch_alter_table("snapshot") as batch:
        batch.add_column(sa.Column("promoted_at", INSTANT, nullable=True))
        batch.add_column(sa.Column("taken_back_at", INSTANT, nullable=True))


def downgrade() -> None:
    """Receipts go; a version that waits with the canaries stays unserved."""
    with op.batch_alter_table("snapshot") as batch:
        batch.drop_column("taken_back_at")
        batch.drop_column("promoted_at")
    op.drop_table("receipt")

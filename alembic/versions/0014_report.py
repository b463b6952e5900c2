"""report: what is counted of the log, and the closed months of the transparency report"""

import sqlalchemy as sa

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Empty: the publisher counts the log from its first leaf on."""
    op.create_table(
        "report_progress",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("leaf_id", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("counted_at", INSTANT, nullable=False),
    )
    op.create_table(
        "report_count",
        sa.Column("period", sa.String(), primary_key=True),
        sa.Column("list", sa.String(), primary_key=True),
        sa.Column("measure", sa.String(), primary_key=True),
        sa.Column("dimension", sa.String(), primary_key=True),
        sa.Column("value", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    op.create_table(
        "report_decision",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("list", sa.String(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
    )
    op.create_index("ix_report_decision_period", "report_decision", ["period"])
    op.create_table(
        "transparency_report",
        sa.Column("period", sa.String(), primary_key=True),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("jws", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("leaf_id", sa.Integer(), sa.ForeignKey("leaf.id"), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
    )
    op.create_index("snapshot_by_date", "snapshot", ["published_at"])


def downgrade() -> None:
    """Without any of it; the leaves of closed months stay."""
    op.drop_index("snapshot_by_date", "snapshot")
    op.drop_table("transparency_report")
    op.drop_index("ix_report_decision_period", "report_decision")
    op.drop_table("report_decision")
    op.drop_table("report_count")
    op.drop_table("report_progress")

"""the register of review bodies"""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Authority, versions and certificates."""
    op.create_table(
        "register_authority",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "register_version",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("proposal", sa.JSON(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "reviewer_certificate",
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("kid"),
    )
    op.create_index("ix_reviewer_certificate_organisation_id", "reviewer_certificate", ["organisation_id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("reviewer_certificate", "register_version", "register_authority"):
        op.drop_table(table)

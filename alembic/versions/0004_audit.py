"""exports for auditors"""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATES = sa.Enum("WAITING", "READY", "GONE", name="state")


def upgrade() -> None:
    """Exports, and who may have entries opened."""
    op.create_table(
        "audit_export",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("list", sa.String(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recipient", sa.String(), nullable=True),
        sa.Column("state", STATES, nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_export_organisation_id", "audit_export", ["organisation_id"])
    op.create_index("ix_audit_export_state", "audit_export", ["state"])
    op.create_table(
        "audit_reveal_right",
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("allowed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("audit_reveal_right", "audit_export"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        STATES.drop(op.get_bind())

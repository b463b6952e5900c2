"""the log's outbox"""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every new leaf is put in the outbox by the database itself."""
    op.create_table(
        "pending_leaf",
        sa.Column("leaf_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["leaf_id"], ["leaf.id"]),
        sa.PrimaryKeyConstraint("leaf_id"),
    )
    op.execute(
        "INSERT INTO pending_leaf (leaf_id) "
        "SELECT id FROM leaf WHERE id NOT IN (SELECT leaf_id FROM sequenced_leaf)"
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER leaf_is_pending AFTER INSERT ON leaf "
            "BEGIN INSERT INTO pending_leaf (leaf_id) VALUES (NEW.id); END"
        )
        return
    op.execute(
        "CREATE FUNCTION leaf_is_pending() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO pending_leaf (leaf_id) VALUES (NEW.id); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER leaf_is_pending AFTER INSERT ON leaf FOR EACH ROW EXECUTE FUNCTION leaf_is_pending()"
    )


def downgrade() -> None:
    """Without the outbox."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER leaf_is_pending")
    else:
        op.execute("DROP TRIGGER leaf_is_pending ON leaf")
        op.execute("DROP FUNCTION leaf_is_pending()")
    op.drop_table("pending_leaf")

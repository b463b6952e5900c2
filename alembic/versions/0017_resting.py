"""resting: a takedown that has nobody left to tell, and as things were when that was found

Empty at first: the next look at each finds that it has nobody, and says so.
"""

import sqlalchemy as sa

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WATCHED = ("contact", "peer", "list_policy")
EVENTS = ("INSERT", "UPDATE", "DELETE")


def upgrade() -> None:
    """Nobody is known to rest; whatever says whom to tell has the mark drawn anew."""
    op.add_column("takedown_clock", sa.Column("rests_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("takedown_clock", sa.Column("rests_as", sa.String(), nullable=True))
    op.create_table(
        "routing_mark",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("mark", sa.String(), nullable=False),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    drawn = "hex(randomblob(16))" if is_sqlite else "gen_random_uuid()::text"
    op.execute(f"INSERT INTO routing_mark (id, mark) VALUES (1, {drawn})")
    draw = f"UPDATE routing_mark SET mark = {drawn} WHERE id = 1"
    if is_sqlite:
        for table in WATCHED:
            for event in EVENTS:
                name = f"{table}_{event.lower()}_marks"
                op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {draw}; END")
        return
    op.execute(
        "CREATE FUNCTION routing_marks() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {draw}; RETURN NULL; END $$"
    )
    for table in WATCHED:
        op.execute(
            f"CREATE TRIGGER {table}_marks AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION routing_marks()"
        )


def downgrade() -> None:
    """Each is looked at every day again."""
    for table in WATCHED:
        if op.get_bind().dialect.name == "sqlite":
            for event in EVENTS:
                op.execute(f"DROP TRIGGER {table}_{event.lower()}_marks")
        else:
            op.execute(f"DROP TRIGGER {table}_marks ON {table}")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION routing_marks()")
    op.drop_table("routing_mark")
    op.drop_column("takedown_clock", "rests_as")
    op.drop_column("takedown_clock", "rests_until")

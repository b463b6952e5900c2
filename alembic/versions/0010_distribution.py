"""sealing, match keys, webhooks, and a count of what decides who may read"""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
WATCHED = ("client", "organisation", "subscription", "block_list", "snapshot")
EVENTS = ("INSERT", "UPDATE", "DELETE")


def upgrade() -> None:
    """Versions there are were sealed to nobody."""
    op.create_table(
        "sealing_recipient",
        sa.Column("recipient", sa.String(), primary_key=True),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
    )
    op.create_index("ix_sealing_recipient_organisation_id", "sealing_recipient", ["organisation_id"])
    op.create_table(
        "match_key",
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("first_version", sa.Integer(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
    )
    op.create_table(
        "subscriber_file",
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), primary_key=True),
        sa.Column("made_from", sa.String(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
    )
    with op.batch_alter_table("snapshot") as batch:
        batch.add_column(sa.Column("match_key", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("policy_version", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("recipients_sha256", sa.String(), nullable=True))
    _webhooks()
    _figures()
    op.create_table(
        "standing",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("number", sa.Integer(), nullable=False),
    )
    op.execute("INSERT INTO standing (id, number) VALUES (1, 0)")
    _count_changes()


def _webhooks() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
    )
    op.create_index("ix_webhook_organisation_id", "webhook", ["organisation_id"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("webhook_id", sa.String(), sa.ForeignKey("webhook.id"), nullable=False),
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=True),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.UniqueConstraint("webhook_id", "list", "version", name="webhook_once"),
    )
    for column in ("next_at", "done_at"):
        op.create_index(f"ix_webhook_delivery_{column}", "webhook_delivery", [column])


def _figures() -> None:
    by_organisation = ["list", "organisation_id", "outcome", "version", "id", "applied_at"]
    op.create_index("receipt_by_organisation", "receipt", by_organisation)
    op.create_index("entry_by_recheck", "entry", ["status", "recheck_by"])
    _leaving(["list", "listed_in"])
    left = sa.text("delisted_in IS NOT NULL")
    op.create_index("entry_left", "entry", ["list", "delisted_in"], sqlite_where=left, postgresql_where=left)


def _leaving(columns: list[str]) -> None:
    """With the version in it SQLite's planner prefers it, however few statistics there are."""
    op.drop_index("entry_leaving", "entry")
    leaving = sa.text("listed_in IS NOT NULL AND delisted_in IS NULL AND status <> 'LISTED'")
    op.create_index("entry_leaving", "entry", columns, sqlite_where=leaving, postgresql_where=leaving)


def _count_changes() -> None:
    count = "UPDATE standing SET number = number + 1 WHERE id = 1"
    if op.get_bind().dialect.name == "sqlite":
        for table in WATCHED:
            for event in EVENTS:
                name = f"{table}_{event.lower()}_counts"
                op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {count}; END")
        return
    op.execute(
        "CREATE FUNCTION standing_counts() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {count}; RETURN NULL; END $$"
    )
    for table in WATCHED:
        op.execute(
            f"CREATE TRIGGER {table}_counts AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION standing_counts()"
        )


def downgrade() -> None:
    """Without any of it."""
    for table in WATCHED:
        if op.get_bind().dialect.name == "sqlite":
            for event in EVENTS:
                op.execute(f"DROP TRIGGER {table}_{event.lower()}_counts")
        else:
            op.execute(f"DROP TRIGGER {table}_counts ON {table}")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION standing_counts()")
    op.drop_index("entry_left", "entry")
    op.drop_index("entry_by_recheck", "entry")
    _leaving(["list"])
    op.drop_index("receipt_by_organisation", "receipt")
    with op.batch_alter_table("snapshot") as batch:
        batch.drop_column("recipients_sha256")
        batch.drop_column("policy_version")
        batch.drop_column("match_key")
    tables = ("standing", "webhook_delivery", "webhook", "subscriber_file", "match_key", "sealing_recipient")
    for table in tables:
        op.drop_table(table)

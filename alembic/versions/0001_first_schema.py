"""first schema"""

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


IDENTITY = {"leaf": ("id",), "sequenced_leaf": ("leaf_index", "leaf_id")}


def upgrade() -> None:
    """Every table, the empty log, and the triggers that keep leaves as they are."""
    op.create_table(
        "block_list",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("quorum", sa.JSON(), nullable=False),
        sa.Column("confidentiality", sa.Enum("PLAIN", "SEALED", name="confidentiality"), nullable=False),
        sa.Column("recheck_days", sa.Integer(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.Column("min_poll_seconds", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "leaf",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_leaf_entry_id", "leaf", ["entry_id"])
    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("HOTLINE", "REVIEW_BODY", "ISP", "AUDITOR", "LAW_ENFORCEMENT", "OPERATOR", name="kind"),
            nullable=False,
        ),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "remembered_request",
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body_mac", sa.String(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "key"),
    )
    with op.batch_alter_table("remembered_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_remembered_request_created_at"), ["created_at"], unique=False)

    op.create_table(
        "spent_assertion",
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("jti_sha256", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "jti_sha256"),
    )
    with op.batch_alter_table("spent_assertion", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_spent_assertion_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "client",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_client_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "entry",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("list", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "SUBMITTED",
                "APPROVED",
                "REJECTED",
                "WITHDRAWN",
                "LISTED",
                "DELISTED",
                "ERASED",
                name="status",
            ),
            nullable=False,
        ),
        sa.Column("scope", sa.Enum("URL", "PATH", "HOST", "DOMAIN", name="entryscope"), nullable=False),
        sa.Column("measures", sa.JSON(), nullable=False),
        sa.Column("is_blocking", sa.Boolean(), nullable=False),
        sa.Column("legal_ground", sa.String(), nullable=False),
        sa.Column("material", sa.String(), nullable=False),
        sa.Column("hosting_country", sa.String(), nullable=False),
        sa.Column("assessed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recheck_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "takedown",
            sa.Enum(
                "NOT_STARTED",
                "NOTIFIED",
                "ACKNOWLEDGED",
                "REMOVED",
                "REFUSED",
                "UNREACHABLE",
                name="takedown",
            ),
            nullable=False,
        ),
        sa.Column("commitment", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("listed_in", sa.Integer(), nullable=True),
        sa.Column("delisted_in", sa.Integer(), nullable=True),
        sa.Column(
            "delist_reason",
            sa.Enum(
                "REMOVED_AT_SOURCE",
                "EXPIRED",
                "NOT_REAFFIRMED",
                "APPEAL_UPHELD",
                "WITHDRAWN",
                "EMERGENCY",
                name="delistreason",
            ),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(
            ["list"],
            ["block_list.name"],
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.create_index("entry_by_list_and_status", ["list", "status", "is_blocking"], unique=False)
        batch_op.create_index("entry_by_version", ["list", "listed_in", "delisted_in"], unique=False)
        batch_op.create_index(
            "entry_leaving",
            ["list"],
            unique=False,
            sqlite_where=sa.text("listed_in IS NOT NULL AND delisted_in IS NULL AND status <> 'LISTED'"),
            postgresql_where=sa.text("listed_in IS NOT NULL AND delisted_in IS NULL AND status <> 'LISTED'"),
        )
        batch_op.create_index(batch_op.f("ix_entry_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(
            "one_open_entry",
            ["list", "fingerprint"],
            unique=True,
            sqlite_where=sa.text("status IN ('APPROVED', 'LISTED', 'SUBMITTED')"),
            postgresql_where=sa.text("status IN ('APPROVED', 'LISTED', 'SUBMITTED')"),
        )

    op.create_table(
        "sequenced_leaf",
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf_id", sa.Integer(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["leaf_id"],
            ["leaf.id"],
        ),
        sa.PrimaryKeyConstraint("leaf_index"),
        sa.UniqueConstraint("leaf_id"),
    )
    op.create_table(
        "snapshot",
        sa.Column("list", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=True),
        sa.Column("commitments_sha256", sa.String(), nullable=True),
        sa.Column("log_size", sa.Integer(), nullable=False),
        sa.Column("log_root", sa.String(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=True),
        sa.Column("manifest_jws", sa.String(), nullable=True),
        sa.Column("is_served", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list"],
            ["block_list.name"],
        ),
        sa.PrimaryKeyConstraint("list", "version"),
    )
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_snapshot_is_served"), ["is_served"], unique=False)

    op.create_table(
        "subscription",
        sa.Column("list", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["list"],
            ["block_list.name"],
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("list", "organisation_id"),
    )
    op.create_table(
        "client_key",
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("jwk", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.PrimaryKeyConstraint("kid"),
    )
    with op.batch_alter_table("client_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_client_key_client_id"), ["client_id"], unique=False)

    op.create_table(
        "corroboration",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["entry.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("entry_id", "organisation_id"),
    )
    op.create_table(
        "entry_secret",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("commitment_key", sa.LargeBinary(), nullable=False),
        sa.Column("canonical_url", sa.String(), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("hotline_reference", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["entry.id"],
        ),
        sa.PrimaryKeyConstraint("entry_id"),
    )
    op.create_table(
        "review",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("decision", sa.Enum("APPROVE", "REJECT", name="decision"), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["entry.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("entry_id", "organisation_id", name="one_vote_per_organisation"),
    )
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_entry_id"), ["entry_id"], unique=False)
    op.execute("INSERT INTO log_head (id, size, frontier) VALUES (1, 0, '')")
    for table in IDENTITY:
        _forbid_changes(table)


def _forbid_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'leaves are final'); END"
            )
        # INSERT OR REPLACE deletes without firing the trigger above.
        same = " OR ".join(f"{column} = NEW.{column}" for column in IDENTITY[table])
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            "BEGIN SELECT RAISE(ABORT, 'leaves are final'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION leaves_are_final() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'leaves are final'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_final BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION leaves_are_final()"
    )


def downgrade() -> None:
    """Drop everything."""
    tables = (
        "review",
        "entry_secret",
        "corroboration",
        "client_key",
        "subscription",
        "snapshot",
        "sequenced_leaf",
        "entry",
        "client",
        "spent_assertion",
        "remembered_request",
        "organisation",
        "log_head",
        "leaf",
        "block_list",
    )
    for table in tables:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION leaves_are_final()")
        for name in (
            "confidentiality",
            "kind",
            "status",
            "entryscope",
            "takedown",
            "delistreason",
            "decision",
        ):
            op.execute(f"DROP TYPE {name}")

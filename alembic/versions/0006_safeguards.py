"""policies by version, protected hosts, conflicts, rechecks, second opinions, brakes"""

import json

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
DECISION = sa.Enum("APPROVE", "REJECT", name="decision", create_type=False)
KNOBS = ("scopes", "quorum", "confidentiality", "recheck_days", "retention_days", "min_poll_seconds")


def upgrade() -> None:
    """A list's knobs move from its row into version 1 of its policy."""
    op.create_table(
        "list_policy",
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
    )
    _copy_policies()
    with op.batch_alter_table("block_list") as batch:
        batch.add_column(sa.Column("policy_version", sa.Integer(), nullable=False, server_default="1"))
        for knob in KNOBS:
            batch.drop_column(knob)
    with op.batch_alter_table("block_list") as batch:
        batch.alter_column("policy_version", server_default=None)
    op.create_table(
        "protected_host",
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), primary_key=True),
        sa.Column("host", sa.String(), primary_key=True),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "conflict",
        sa.Column("one", sa.String(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("other", sa.String(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("declared_at", INSTANT, nullable=False),
    )
    with op.batch_alter_table("entry") as batch:
        batch.add_column(sa.Column("batch_id", sa.String(), nullable=True))
        for flag in ("is_protected", "opinion_open"):
            batch.add_column(sa.Column(flag, sa.Boolean(), nullable=False, server_default=sa.text("false")))
        batch.add_column(sa.Column("host_fingerprint", sa.String(), nullable=True))
        batch.create_index("ix_entry_batch_id", ["batch_id"])
        batch.create_index("ix_entry_host_fingerprint", ["host_fingerprint"])
    with op.batch_alter_table("entry") as batch:
        for flag in ("is_protected", "opinion_open"):
            batch.alter_column(flag, server_default=None)
    op.create_table(
        "recheck",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), nullable=False, index=True),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("checked_at", INSTANT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )
    _second_opinions()
    _brakes()


def _copy_policies() -> None:
    connection = op.get_bind()
    columns = ", ".join(KNOBS)
    for row in connection.execute(sa.text(f"SELECT name, created_at, {columns} FROM block_list")).mappings():
        policy = {knob: row[knob] for knob in KNOBS}
        for knob in ("scopes", "quorum"):
            policy[knob] = json.loads(policy[knob]) if isinstance(policy[knob], str) else policy[knob]
        policy["confidentiality"] = str(policy["confidentiality"]).lower()
        connection.execute(
            sa.text(
                "INSERT INTO list_policy (list, version, policy, changed_at) VALUES (:list, 1, :policy, :at)"
            ),
            {"list": row["name"], "policy": json.dumps(policy), "at": row["created_at"]},
        )


def _second_opinions() -> None:
    op.create_table(
        "second_opinion",
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), primary_key=True),
        sa.Column("first", DECISION, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), nullable=True),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("decision", DECISION, nullable=True),
        sa.Column("signature", sa.String(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("at", INSTANT, nullable=True),
    )
    with op.batch_alter_table("review") as batch:
        batch.add_column(sa.Column("voided_at", INSTANT, nullable=True))
        batch.drop_constraint("one_vote_per_organisation", type_="unique")
    counts = sa.text("voided_at IS NULL")
    op.create_index(
        "one_vote_per_organisation",
        "review",
        ["entry_id", "organisation_id"],
        unique=True,
        sqlite_where=counts,
        postgresql_where=counts,
    )


def _brakes() -> None:
    with op.batch_alter_table("snapshot") as batch:
        for flag in ("is_held", "is_staged"):
            batch.add_column(sa.Column(flag, sa.Boolean(), nullable=False, server_default=sa.text("false")))
        batch.add_column(
            sa.Column("is_released", sa.Boolean(), nullable=False, server_default=sa.text("false"))
        )
        batch.add_column(sa.Column("withdrawn", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("staged_at", INSTANT, nullable=True))
    with op.batch_alter_table("snapshot") as batch:
        for column in ("is_held", "is_staged", "is_released", "withdrawn"):
            batch.alter_column(column, server_default=None)
    op.create_table(
        "brake",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("list", sa.String(), sa.ForeignKey("block_list.name"), nullable=False, index=True),
        sa.Column("engaged_at", INSTANT, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("difference_sha256", sa.String(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("released_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
    )
    op.create_table(
        "brake_release",
        sa.Column("brake_id", sa.String(), sa.ForeignKey("brake.id"), primary_key=True),
        sa.Column("organisation_id", sa.String(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("difference_sha256", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )


def downgrade() -> None:
    """The newest policy's first knobs go back into the list's row; void votes are dropped."""
    op.drop_table("brake_release")
    op.drop_table("brake")
    with op.batch_alter_table("snapshot") as batch:
        for column in ("is_held", "is_staged", "is_released", "withdrawn", "staged_at"):
            batch.drop_column(column)
    op.drop_index("one_vote_per_organisation", "review")
    op.execute("DELETE FROM review WHERE voided_at IS NOT NULL")
    with op.batch_alter_table("review") as batch:
        batch.drop_column("voided_at")
        batch.create_unique_constraint("one_vote_per_organisation", ["entry_id", "organisation_id"])
    op.drop_table("second_opinion")
    op.drop_table("recheck")
    with op.batch_alter_table("entry") as batch:
        batch.drop_index("ix_entry_batch_id")
        batch.drop_index("ix_entry_host_fingerprint")
        batch.drop_column("host_fingerprint")
        batch.drop_column("batch_id")
        batch.drop_column("is_protected")
        batch.drop_column("opinion_open")
    op.drop_table("conflict")
    op.drop_table("protected_host")
    _restore_policies()
    op.drop_table("list_policy")


def _restore_policies() -> None:
    kinds = {"scopes": sa.JSON(), "quorum": sa.JSON(), "confidentiality": sa.String()}
    with op.batch_alter_table("block_list") as batch:
        for knob in KNOBS:
            batch.add_column(sa.Column(knob, kinds.get(knob, sa.Integer()), nullable=True))
    connection = op.get_bind()
    newest = sa.text(
        "SELECT list, policy FROM list_policy JOIN block_list ON name = list AND policy_version = version"
    )
    for row in connection.execute(newest).mappings().all():
        policy = json.loads(row["policy"]) if isinstance(row["policy"], str) else row["policy"]
        values = {knob: policy[knob] for knob in KNOBS} | {"name": row["list"]}
        values["confidentiality"] = values["confidentiality"].upper()
        for knob in ("scopes", "quorum"):
            values[knob] = json.dumps(values[knob])
        sets = ", ".join(f"{knob} = :{knob}" for knob in KNOBS)
        connection.execute(sa.text(f"UPDATE block_list SET {sets} WHERE name = :name"), values)
    with op.batch_alter_table("block_list") as batch:
        for knob in KNOBS:
            batch.alter_column(knob, nullable=False, existing_type=kinds.get(knob, sa.Integer()))
        batch.drop_column("policy_version")
    kind = sa.Enum("PLAIN", "SEALED", name="confidentiality")
    with op.batch_alter_table("block_list") as batch:
        batch.alter_column(
            "confidentiality",
            existing_type=sa.String(),
            type_=kind,
            postgresql_using="confidentiality::confidentiality",
        )

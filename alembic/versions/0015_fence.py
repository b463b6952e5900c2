"""fence: the publisher's term, and every name that it publishes once

Empty at first: an installation that has published goes on with the numbers after those on its disk.
"""

import sqlalchemy as sa

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has a term, and no name is claimed."""
    term = op.create_table(
        "publisher_term",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("number", sa.Integer(), nullable=False),
    )
    op.bulk_insert(term, [{"id": 1, "number": 0}])
    op.create_table(
        "published_name",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
    )


def downgrade() -> None:
    """Without any of it; what was published stays as it is on the disk."""
    op.drop_table("published_name")
    op.drop_table("publisher_term")

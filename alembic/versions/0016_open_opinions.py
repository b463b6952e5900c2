"""open opinions: what waits for a second opinion, and what a hotline corroborated, by an index"""

import sqlalchemy as sa

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

OPEN = sa.text("opinion_open")


def upgrade() -> None:
    """Nothing but two indexes."""
    op.create_index("entry_second_opinion", "entry", ["seq"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_corroboration_organisation_id", "corroboration", ["organisation_id"])


def downgrade() -> None:
    """Without them again."""
    op.drop_index("ix_corroboration_organisation_id", table_name="corroboration")
    op.drop_index("entry_second_opinion", table_name="entry")

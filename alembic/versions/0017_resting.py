"""resting: a takedown that has nobody left to tell

Empty at first: the next look at each finds that it has nobody, and says so.
"""

import sqlalchemy as sa

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody is known to rest."""
    op.add_column("takedown_clock", sa.Column("rests_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Each is looked at every day again."""
    op.drop_column("takedown_clock", "rests_until")

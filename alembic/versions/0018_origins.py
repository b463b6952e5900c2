"""origins: after which leaf a notice was begun, and who made an invitation

Unknown of those that there are: they count as before.
"""

import sqlalchemy as sa

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns, empty at first."""
    op.add_column("notice", sa.Column("begun_after", sa.Integer(), nullable=True))
    op.add_column("invitation", sa.Column("invited_by", sa.String(), nullable=True))
    op.create_index("ix_invitation_invited_by", "invitation", ["invited_by"])


def downgrade() -> None:
    """Without them again."""
    op.drop_index("ix_invitation_invited_by", table_name="invitation")
    op.drop_column("invitation", "invited_by")
    op.drop_column("notice", "begun_after")

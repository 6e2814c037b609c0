"""Revision 0004: alerts that wait. Frozen: a change of the schema is a new file, never an edit of this one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "outbox",
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("content", sa.Text(), nullable=False),
    )

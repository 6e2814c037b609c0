"""Revision 0003: the index by time also says who answered what. Frozen: a change of the schema is a new file.

Counting messages over time then reads the index alone, and not a row with its text for each message.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the wider index, then drop the one that it replaces."""
    op.create_index("ix_predictions_traffic", "predictions", ["model", "at", "model_version", "label"])
    op.drop_index("ix_predictions_at", "predictions")

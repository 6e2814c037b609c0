"""Revision 0001: the first tables. Frozen: a change of the schema is a new file, never an edit of this one."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger()
COUNTER = BIG.with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
DRAWN = sa.text("audit_probability IS NOT NULL")


def upgrade() -> None:
    """Create them."""
    _create_predictions()
    _create_labels()
    _create_drift_windows()
    _create_artefacts()
    op.create_table(
        "deployments",
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("revision", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("experiment", sa.Text()),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_table(
        "ledger",
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("sequence", BIG, primary_key=True, autoincrement=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )


def _sequence() -> sa.Column[int]:
    return sa.Column("sequence", COUNTER, primary_key=True, autoincrement=True, nullable=False)


def _create_predictions() -> None:
    op.create_table(
        "predictions",
        _sequence(),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("prediction_id", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("label", sa.String(8), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("audit_probability", sa.Float()),
        sa.Column("other_version", sa.String(64)),
        sa.Column("other_score", sa.Float()),
        sa.Column("asked_at", TIME),
        sa.UniqueConstraint("model", "prediction_id", name="uq_predictions_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_predictions_version", "predictions", ["model", "model_version", "sequence"])
    op.create_index("ix_predictions_at", "predictions", ["model", "at"])
    op.create_index("ix_predictions_version_at", "predictions", ["model", "model_version", "at"])
    op.create_index(
        "ix_predictions_audit",
        "predictions",
        ["model", "sequence"],
        sqlite_where=DRAWN,
        postgresql_where=DRAWN,
    )


def _create_labels() -> None:
    op.create_table(
        "labels",
        _sequence(),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("label", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("predicted_at", TIME),
        sa.Column("prediction_id", sa.String(64)),
        sa.Column("predicted", sa.String(8)),
        sa.Column("probability", sa.Float()),
        sa.Column("model_version", sa.String(64)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_labels_sequence", "labels", ["model", "sequence"])
    op.create_index("ix_labels_subject", "labels", ["model", "subject", "sequence"])
    op.create_index("ix_labels_prediction", "labels", ["model", "prediction_id"])
    op.create_index("ix_labels_source", "labels", ["model", "source"])


def _create_drift_windows() -> None:
    op.create_table(
        "drift_windows",
        _sequence(),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("window_id", sa.String(128), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("first_sequence", BIG, nullable=False),
        sa.Column("last_sequence", BIG, nullable=False),
        sa.Column("ended_at", TIME, nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.UniqueConstraint("model", "window_id", name="uq_drift_windows_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_drift_windows_version", "drift_windows", ["model", "model_version", "last_sequence"])


def _create_artefacts() -> None:
    op.create_table(
        "artefacts",
        _sequence(),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("artefact", sa.LargeBinary(), nullable=False),
        sa.Column("reference", sa.LargeBinary(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.UniqueConstraint("model", "version", name="uq_artefacts_version"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_artefacts_digest", "artefacts", ["model", "digest"])

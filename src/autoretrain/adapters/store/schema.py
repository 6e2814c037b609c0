"""Which tables the store has. The migrations are frozen text of their own; a contract test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

SCHEMA_REVISION = "0004"
"""The oldest revision that this code can work with; revisions are numbers in order."""


class UtcDateTime(TypeDecorator[datetime]):
    """A UTC-aware datetime, also on SQLite, which knows no time zones. A naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone can't be stored; give it in UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData()


def _sequence() -> Column[Any]:
    # SQLite counts in INTEGER only. With AUTOINCREMENT (below) neither database hands out a purged number again, so
    # "after sequence n" stays true for ever.
    return Column(
        "sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True, nullable=False
    )


def _model() -> Column[Any]:
    return Column("model", String(128), nullable=False)


PREDICTIONS = Table(
    "predictions",
    METADATA,
    _sequence(),
    _model(),
    Column("prediction_id", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("label", String(8), nullable=False),
    Column("score", Float, nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("role", String(16), nullable=False),
    Column("audit_probability", Float),
    Column("other_version", String(64)),
    Column("other_score", Float),
    Column("asked_at", UtcDateTime),
    UniqueConstraint("model", "prediction_id", name="uq_predictions_id"),
    Index("ix_predictions_version", "model", "model_version", "sequence"),
    Index("ix_predictions_traffic", "model", "at", "model_version", "label"),
    Index("ix_predictions_version_at", "model", "model_version", "at"),
    Index(
        "ix_predictions_audit",
        "model",
        "sequence",
        sqlite_where=text("audit_probability IS NOT NULL"),
        postgresql_where=text("audit_probability IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

LABELS = Table(
    "labels",
    METADATA,
    _sequence(),
    _model(),
    Column("subject", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("label", String(8), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("source", String(128), nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("predicted_at", UtcDateTime),
    # A copy of the prediction, so that a label outlives it.
    Column("prediction_id", String(64)),
    Column("predicted", String(8)),
    Column("probability", Float),
    Column("model_version", String(64)),
    Index("ix_labels_sequence", "model", "sequence"),
    Index("ix_labels_subject", "model", "subject", "sequence"),
    Index("ix_labels_prediction", "model", "prediction_id"),
    Index("ix_labels_source", "model", "source"),
    sqlite_autoincrement=True,
)

DRIFT_WINDOWS = Table(
    "drift_windows",
    METADATA,
    _sequence(),
    _model(),
    Column("window_id", String(128), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("report", Text, nullable=False),
    UniqueConstraint("model", "window_id", name="uq_drift_windows_id"),
    Index("ix_drift_windows_version", "model", "model_version", "last_sequence"),
    sqlite_autoincrement=True,
)

ARTEFACTS = Table(
    "artefacts",
    METADATA,
    _sequence(),
    _model(),
    Column("version", String(64), nullable=False),
    Column("digest", String(128), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("artefact", LargeBinary, nullable=False),
    Column("reference", LargeBinary, nullable=False),
    Column("card", Text, nullable=False),
    UniqueConstraint("model", "version", name="uq_artefacts_version"),
    Index("ix_artefacts_digest", "model", "digest"),
    sqlite_autoincrement=True,
)

DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    Column("model", String(128), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("version", String(64), nullable=False),
    Column("digest", String(128), nullable=False),
    Column("experiment", Text),
    Column("at", UtcDateTime, nullable=False),
)

LEDGER = Table(
    "ledger",
    METADATA,
    Column("model", String(128), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)

ADVICE = Table(
    "advice",
    METADATA,
    _sequence(),
    _model(),
    Column("at", UtcDateTime, nullable=False),
    Column("situation_id", String(64), nullable=False),
    Column("situation_at", UtcDateTime, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("advice", String(16)),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("rules", String(16), nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("chat_model", String(256), nullable=False),
    Column("prompt_version", String(32), nullable=False),
    Column("calls", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost", Float),
    Column("seconds", Float, nullable=False),
    Index("ix_advice_sequence", "model", "sequence"),
    Index("ix_advice_at", "model", "at"),
    sqlite_autoincrement=True,
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("model", String(128), primary_key=True),
    Column("content", Text, nullable=False),
)

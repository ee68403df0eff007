"""The tables."""

from datetime import datetime

from sqlalchemy import JSON, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The tables' common registry; the migrations are compared with it in a test."""


class Reading(Base):
    """A reading, as it was drawn; nothing ever changes it."""

    __tablename__ = "readings"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(index=True)  # UTC
    question: Mapped[str] = mapped_column(Text)
    spread: Mapped[str] = mapped_column(String(16))
    # [{"card": "the-fool", "reversed": false}, …] in the order of the spread's positions.
    draws: Mapped[list[dict]] = mapped_column(JSON)
    # Unique, so that the database decides which of two racing replicas was first.
    idempotency_key: Mapped[str | None] = mapped_column(String(255), unique=True)
    # Tells a retried request from another one under the same key.
    fingerprint: Mapped[str] = mapped_column(String(64))
    # Of a deploy's smoke test, which removes it again. The database has a default: a release
    # from before this column still inserts.
    smoke: Mapped[bool] = mapped_column(default=False, server_default=false())

"""Readings: drawn here, stored once."""

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from tarot import deck, metrics
from tarot.database import Database
from tarot.deck import Text
from tarot.models import Reading

SPREADS: dict[str, tuple[Text, ...]] = {
    "single": (Text("The answer", "答案"),),
    "three": (Text("Past", "过去"), Text("Present", "现在"), Text("Future", "未来")),
    "cross": (
        Text("The matter", "核心"),
        Text("What crosses it", "阻碍"),
        Text("What lies below", "根基"),
        Text("What lies above", "目标"),
        Text("The outcome", "结果"),
    ),
}


class KeyReusedError(Exception):
    """An idempotency key came back with another request."""


@dataclass(frozen=True)
class Stored:
    """A reading, and whether an earlier request had stored it."""

    reading: Reading
    replayed: bool


def create(
    database: Database, question: str, spread: str, key: str | None, *, smoke: bool = False
) -> Stored:
    """Draw and store a reading; the same key brings the same reading back."""
    fingerprint = _fingerprint(question, spread)
    # Drawn before the transaction: the lock is held for one INSERT only.
    reading = Reading(
        id=uuid.uuid4().hex,
        created_at=datetime.now(UTC).replace(tzinfo=None),
        question=question,
        spread=spread,
        draws=_draw(len(SPREADS[spread])),
        idempotency_key=key,
        fingerprint=fingerprint,
        smoke=smoke,
    )
    try:
        with database.write() as session:
            session.add(reading)
            session.flush()
            session.expunge(reading)
    except IntegrityError:
        # The unique key decided: an earlier request, perhaps of another replica, was first.
        earlier = _by_key(database, key)
        if earlier is None:
            raise
        if earlier.fingerprint != fingerprint:
            raise KeyReusedError from None
        metrics.READINGS.labels("replayed").inc()
        return Stored(earlier, replayed=True)
    metrics.READINGS.labels("stored").inc()
    return Stored(reading, replayed=False)


def get(database: Database, identifier: str) -> Reading | None:
    """The reading with this id."""
    with database.read() as session:
        reading = session.get(Reading, identifier)
        session.expunge_all()
        return reading


def remove_smoke(database: Database, identifier: str) -> bool:
    """Remove what a smoke test has stored, and nothing else; whether there was something."""
    query = delete(Reading).where(Reading.id == identifier, Reading.smoke)
    with database.write() as session:
        return session.execute(query).rowcount > 0


def recent(database: Database, limit: int, offset: int = 0) -> list[Reading]:
    """The latest readings, newest first, without those of smoke tests."""
    query = select(Reading).where(~Reading.smoke).order_by(Reading.created_at.desc(), Reading.id)
    with database.read() as session:
        readings = list(session.scalars(query.limit(limit).offset(offset)))
        session.expunge_all()
        return readings


def _by_key(database: Database, key: str | None) -> Reading | None:
    with database.read() as session:
        reading = session.scalar(select(Reading).where(Reading.idempotency_key == key))
        session.expunge_all()
        return reading


def _draw(count: int) -> list[dict]:
    random = secrets.SystemRandom()
    cards = random.sample(list(deck.CARDS), count)
    return [{"card": card, "reversed": random.random() < 0.5} for card in cards]


def _fingerprint(question: str, spread: str) -> str:
    return hashlib.sha256(json.dumps([question, spread]).encode()).hexdigest()

"""The 78 cards, read from cards.json."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from tarot import links
from tarot.settings import CODE


@dataclass(frozen=True)
class Text:
    """A text in both languages."""

    en: str
    zh: str


@dataclass(frozen=True)
class Card:
    """A card; `number` is 0 to 21 in the major arcana, 1 (ace) to 14 (king) in a suit."""

    id: str
    arcana: str
    suit: str | None
    number: int
    name: Text
    upright: Text
    reversed: Text

    @property
    def image(self) -> str:
        """Where the card's picture is served."""
        return links.static(f"cards/{self.id}.svg")

    def public(self) -> dict[str, Any]:
        """The card as the API shows it."""
        return asdict(self) | {"image": self.image}


def _load(content: bytes) -> dict[str, Card]:
    cards = [
        Card(**fields | {key: Text(**fields[key]) for key in ("name", "upright", "reversed")})
        for fields in json.loads(content)
    ]
    return {card.id: card for card in cards}


_CONTENT = (CODE / "cards.json").read_bytes()
CARDS = _load(_CONTENT)
# Another one for other texts.
VERSION = hashlib.sha256(_CONTENT).hexdigest()[:16]


def of_the_day(day: date) -> tuple[Card, bool]:
    """The day's card and whether it is reversed: the same in every replica."""
    number = int.from_bytes(hashlib.sha256(day.isoformat().encode()).digest()[:8], "big")
    return list(CARDS.values())[number // 2 % len(CARDS)], number % 2 == 1

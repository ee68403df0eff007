"""The cards."""

from typing import Any, Literal

from fastapi import APIRouter, HTTPException

from tarot import deck

router = APIRouter(prefix="/api/v1/cards", tags=["cards"])

Arcana = Literal["major", "minor"]
Suit = Literal["wands", "cups", "swords", "pentacles"]


@router.get("")
def list_cards(arcana: Arcana | None = None, suit: Suit | None = None) -> list[dict[str, Any]]:
    """All cards, or those of an arcana or a suit."""
    return [
        card.public()
        for card in deck.CARDS.values()
        if arcana in (None, card.arcana) and suit in (None, card.suit)
    ]


@router.get("/{card_id}")
def get_card(card_id: str) -> dict[str, Any]:
    """One card."""
    if (card := deck.CARDS.get(card_id)) is None:
        raise HTTPException(404, "there is no such card")
    return card.public()

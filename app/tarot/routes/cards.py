"""The cards."""

from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from tarot import deck

router = APIRouter(prefix="/api/v1/cards", tags=["cards"])

Arcana = Literal["major", "minor"]
Suit = Literal["wands", "cups", "swords", "pentacles"]

# Seconds for which the cache keeps an answer: those of an old release are gone by then.
KEEP = 3600


@router.get("", response_model=list[dict[str, Any]])
async def list_cards(
    request: Request, arcana: Arcana | None = None, suit: Suit | None = None
) -> Response:
    """All cards, or those of an arcana or a suit."""
    return await _kept(
        request,
        f"list:{arcana}:{suit}",
        lambda: [
            card.public()
            for card in deck.CARDS.values()
            if arcana in (None, card.arcana) and suit in (None, card.suit)
        ],
    )


@router.get("/{card_id}", response_model=dict[str, Any])
async def get_card(card_id: str, request: Request) -> Response:
    """One card."""
    if (card := deck.CARDS.get(card_id)) is None:
        raise HTTPException(404, "there is no such card")
    return await _kept(request, f"card:{card_id}", card.public)


async def _kept(request: Request, name: str, make: Callable[[], Any]) -> Response:
    """The answer that the cache has under this name, or a new one, to be kept."""
    settings, cache = request.app.state.settings, request.app.state.cache
    # Everything that makes the answer another one: releases share the cache.
    key = f"tarot:{settings.release}:{settings.static_url}:{deck.VERSION}:{name}"
    if (body := await cache.get(key)) is None:
        body = JSONResponse(make()).body
        await cache.put(key, body, KEEP)
    return Response(body, media_type="application/json")

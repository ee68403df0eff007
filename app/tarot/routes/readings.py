"""Readings: made by anybody, read by who knows the id, listed by the administrator."""

from datetime import UTC
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tarot import deck, readings
from tarot.limits import limit_readings
from tarot.models import Reading
from tarot.security import require_token

router = APIRouter(prefix="/api/v1/readings", tags=["readings"])

Key = Annotated[
    str | None, Header(alias="Idempotency-Key", pattern=r"^[\x21-\x7e]+$", max_length=255)
]

# A deploy asks with it, and tidies up.
Smoke = Annotated[bool, Header(alias="X-Smoke-Test")]


class ReadingRequest(BaseModel):
    """What to ask the cards."""

    model_config = ConfigDict(extra="forbid")

    # PostgreSQL has no NUL in a text.
    question: str = Field("", max_length=500, pattern=r"^[^\x00]*$")
    spread: Literal["single", "three", "cross"] = "three"


def public(reading: Reading) -> dict[str, Any]:
    """A reading as the API shows it."""
    cards = []
    for position, draw in zip(readings.SPREADS[reading.spread], reading.draws, strict=True):
        card = deck.CARDS[draw["card"]]
        cards.append(
            {
                "position": position,
                "card": card.id,
                "name": card.name,
                "image": card.image,
                "reversed": draw["reversed"],
                "meaning": card.reversed if draw["reversed"] else card.upright,
            }
        )
    return {
        "id": reading.id,
        "created_at": reading.created_at.replace(tzinfo=UTC),
        "question": reading.question,
        "spread": reading.spread,
        "cards": cards,
    }


@router.post("", status_code=201, dependencies=[Depends(limit_readings)])
def create_reading(
    body: ReadingRequest,
    request: Request,
    response: Response,
    key: Key = None,
    smoke: Smoke = False,
) -> dict[str, Any]:
    """Draw cards and store the reading.

    A retry with the same Idempotency-Key gets the stored reading again.
    """
    try:
        stored = readings.create(
            request.app.state.database, body.question, body.spread, key, smoke=smoke
        )
    except readings.KeyReusedError:
        raise HTTPException(422, "this Idempotency-Key was used for another request") from None
    response.headers["Location"] = f"{router.prefix}/{stored.reading.id}"
    if stored.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return public(stored.reading)


@router.get("/{reading_id}")
def get_reading(reading_id: str, request: Request) -> dict[str, Any]:
    """One reading."""
    if (reading := readings.get(request.app.state.database, reading_id)) is None:
        raise HTTPException(404, "there is no such reading")
    return public(reading)


@router.delete("/{reading_id}", status_code=204, include_in_schema=False)
def delete_smoke_reading(reading_id: str, request: Request, smoke: Smoke = False) -> None:
    """Remove what a smoke test has stored; a user's reading is never removed."""
    if not smoke or not readings.remove_smoke(request.app.state.database, reading_id):
        raise HTTPException(404, "there is no such smoke test")


@router.get("", dependencies=[Depends(require_token)])
def list_readings(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[dict[str, Any]]:
    """The latest readings, for the administrator."""
    found = readings.recent(request.app.state.database, limit, offset)
    return [public(reading) for reading in found]

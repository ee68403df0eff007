"""The card of the day, once or over a WebSocket."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from tarot import deck

router = APIRouter(prefix="/api/v1", tags=["daily"])


def today() -> dict[str, Any]:
    """Today's card (of the UTC day), the same in every replica."""
    day = datetime.now(UTC).date()
    card, reversed_ = deck.of_the_day(day)
    return {"date": day.isoformat(), "reversed": reversed_, "card": card.public()}


@router.get("/daily")
def daily() -> dict[str, Any]:
    """The card of the day."""
    return today()


@router.websocket("/ws/daily")
async def daily_socket(websocket: WebSocket) -> None:
    """Send the card of the day, then answer: "ping" with "pong", "card" with the card, and
    anything else with itself. On SIGTERM uvicorn closes it with 1012, service restart."""
    await websocket.accept()
    try:
        await websocket.send_json(today())
        while True:
            text = await websocket.receive_text()
            if text == "card":
                await websocket.send_json(today())
            else:
                await websocket.send_text("pong" if text == "ping" else text)
    except WebSocketDisconnect:
        pass

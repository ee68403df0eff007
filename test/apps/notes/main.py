"""Notes, and a stream of server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from database import Note, SessionLocal

VERSION = 1
app = FastAPI()


def get_db() -> Iterator[Session]:
    """Give a request its session."""
    with SessionLocal() as db:
        yield db


Db = Annotated[Session, Depends(get_db)]


class NoteIn(BaseModel):
    """A note that is to be stored."""

    text: str


@app.get("/")
def root(request: Request) -> dict:
    """Tell what runs, and how it was asked."""
    return {"version": VERSION, "scheme": request.url.scheme}


@app.get("/notes")
def notes(db: Db) -> list[str]:
    """Tell all notes."""
    return list(db.scalars(select(Note.text)))


@app.post("/notes", status_code=201)
def create(note: NoteIn, db: Db) -> NoteIn:
    """Store a note."""
    db.add(Note(text=note.text))
    db.commit()
    return note


async def events() -> AsyncIterator[str]:
    """Count for ever."""
    number = 0
    while True:
        yield f"id: {number}\ndata: {VERSION}\n\n"
        number += 1
        await asyncio.sleep(0.2)


@app.get("/events")
def stream() -> StreamingResponse:
    """Send them."""
    return StreamingResponse(events(), media_type="text/event-stream")

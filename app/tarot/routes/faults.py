"""What goes wrong on request, for tests of the platform; only with ENABLE_TEST_ENDPOINTS."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

router = APIRouter(prefix="/api/v1/debug", tags=["debug"])


@router.get("/slow")
async def slow(
    request: Request, seconds: Annotated[float, Query(ge=0, le=30)] = 5
) -> dict[str, float | str]:
    """Answer after so many seconds."""
    await asyncio.sleep(seconds)
    return {"slept": seconds, "instance": request.app.state.settings.instance}


@router.get("/fail")
async def fail() -> None:
    """Answer with an unexpected error."""
    raise RuntimeError("asked to fail")

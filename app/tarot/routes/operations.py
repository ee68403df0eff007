"""What the platform asks: /health and /metrics."""

import logging

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from tarot import lifecycle, metrics
from tarot.database import Database
from tarot.settings import Settings
from tarot.stores import DatabaseGoneError

# The contract says: an answer within a second.
PATIENCE = 0.8

log = logging.getLogger(__name__)
router = APIRouter(tags=["operations"])


async def health_of(request: Request) -> dict[str, str]:
    """What /health says."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    state = "ok"
    try:
        with anyio.fail_after(PATIENCE):
            await anyio.to_thread.run_sync(
                database.check,
                abandon_on_cancel=True,
                limiter=request.app.state.operations_limiter,
            )
    except TimeoutError:
        state = f"no answer in {PATIENCE} s"
    except DatabaseGoneError as error:
        state = str(error)
    status = "ok" if state == "ok" else "unavailable"
    return {
        "status": "draining" if lifecycle.is_draining() else status,
        "instance": settings.instance,
        "release": settings.release,
        "database": state,
    }


@router.get("/health", responses={503: {"description": "draining, or no database"}})
async def health(request: Request) -> JSONResponse:
    """Whether this replica and its database work."""
    content = await health_of(request)
    code = 200 if content["status"] == "ok" else 503
    if code != 200:
        log.warning("not healthy", extra=content)
    return JSONResponse(content, code, {"Cache-Control": "no-store"})


@router.get("/metrics", include_in_schema=False)
async def show_metrics(request: Request) -> Response:
    """The metrics of all workers of this container."""
    content = await anyio.to_thread.run_sync(
        metrics.render,
        request.app.state.settings,
        limiter=request.app.state.operations_limiter,
    )
    return Response(content, media_type=CONTENT_TYPE_LATEST)

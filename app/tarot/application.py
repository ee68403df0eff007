"""The application: everything put together."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.types import ASGIApp, Receive, Scope, Send

from tarot import database, debugger, links, metrics, metrics_folder
from tarot import settings as environment
from tarot.cache import Cache
from tarot.limits import Attempts
from tarot.middleware import RequestContext
from tarot.routes import auth, cards, daily, faults, operations, pages, readings
from tarot.settings import Settings
from tarot.turns import NoTurnError

log = logging.getLogger(__name__)


def create(settings: Settings | None = None) -> FastAPI:
    """Build the application; uvicorn calls this in every worker."""
    settings = settings or environment.load()
    links.use(settings.static_url)
    app = FastAPI(
        title="Tarot",
        version=settings.release,
        summary="78 cards, and readings that are stored once.",
        lifespan=_lifespan,
        docs_url=None,  # tarot.routes.pages has it
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.attempts = Attempts()
    app.add_middleware(RequestContext, debug=settings.debug)
    app.add_exception_handler(OperationalError, _database_busy)
    app.add_exception_handler(InterfaceError, _database_busy)
    app.add_exception_handler(PoolTimeoutError, _database_busy)
    app.add_exception_handler(NoTurnError, _database_busy)
    for module in (operations, cards, readings, daily, auth, pages):
        app.include_router(module.router)
    if settings.enable_test_endpoints:
        app.include_router(faults.router)
    files = _WholeFiles(StaticFiles(directory=settings.static_dir))
    for path in sorted({settings.static_url, "/static"}, key=len, reverse=True):
        app.mount(path, files)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    debugger.listen(settings.debugger_port)
    # Health and metrics have threads of their own, so that they answer under load.
    app.state.operations_limiter = anyio.CapacityLimiter(2)
    app.state.database = database.Database(settings)
    app.state.cache = Cache(settings.redis)
    app.state.cache.start()
    yield
    await app.state.cache.close()
    app.state.database.dispose()
    metrics_folder.forget(os.getpid())


async def _database_busy(request: Request, error: Exception) -> JSONResponse:
    """Locked for too long, no free connection, or gone: worth another try, so 503."""
    if isinstance(error, PoolTimeoutError):
        metrics.DB_ERRORS.labels("pool_timeout").inc()
    log.error("database: %s", str(error).splitlines()[0], extra={"path": request.scope["path"]})
    return JSONResponse({"detail": "the database is busy"}, 503, {"Retry-After": "1"})


class _WholeFiles:
    """Answers with whole files: they are small, and Starlette up to 0.49.0 spends quadratic
    time on a Range header with many parts (CVE-2025-62727)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [header for header in scope.get("headers", []) if header[0] != b"range"]
        await self._app(scope | {"headers": headers}, receive, send)

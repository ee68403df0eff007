"""Around every request: its id, its line in the log, its metrics, its unexpected errors."""

import logging
import re
import time
import traceback
import uuid
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tarot import logs, metrics

HEADER = "X-Request-ID"
# An id from outside goes into logs and headers, so it must not hold anything surprising.
_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Asked for every few seconds by machines.
_QUIET = frozenset({"/health", "/metrics"})
_CLIENT_LEFT = 499  # nginx's number for a client that didn't wait

log = logging.getLogger("tarot.access")
errors = logging.getLogger("tarot.errors")


class RequestContext:
    """ASGI middleware; pure, since Starlette's helper class would buffer and copy contexts."""

    def __init__(self, app: ASGIApp, debug: bool) -> None:
        self._app = app
        self._debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        offered = Headers(scope=scope).get(HEADER, "")
        identifier = offered if _SANE.fullmatch(offered) else uuid.uuid4().hex
        logs.request_id.set(identifier)
        status = _CLIENT_LEFT
        answered = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, answered
            if message["type"] in ("http.response.start", "websocket.accept"):
                answered = True
                status = message.get("status", 101)
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                headers[HEADER] = identifier
                headers["Date"] = formatdate(usegmt=True)
            await send(message)

        http = scope["type"] == "http"
        gauge = metrics.IN_PROGRESS if http else metrics.WEBSOCKETS
        started = time.perf_counter()
        gauge.inc()
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            errors.exception("unexpected error", extra={"path": scope["path"]})
            if not http or answered:
                raise  # the server closes the connection: too late for an answer
            await self._sorry(error, identifier)(scope, receive, send_with_id)
        finally:
            gauge.dec()
            duration = time.perf_counter() - started
            if http:
                labels = (_method(scope), _route(scope), str(status))
                metrics.REQUESTS.labels(*labels).inc()
                metrics.DURATION.labels(*labels).observe(duration)
            _log(scope, status, duration)

    def _sorry(self, error: Exception, identifier: str) -> JSONResponse:
        body = {"detail": "internal error", "request_id": identifier}
        if self._debug:
            body["traceback"] = "".join(traceback.format_exception(error))
        return JSONResponse(body, 500)


def _method(scope: Scope) -> str:
    # Anything may stand there; a label must not take every value that a client invents.
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _route(scope: Scope) -> str:
    """The route's template: the path itself would make a time series of each reading."""
    if (path := getattr(scope.get("route"), "path", None)) is not None:
        return path
    endpoint, application = scope.get("endpoint"), scope.get("app")
    if endpoint is not None and isinstance(application, Starlette):
        for route in application.routes:
            if endpoint in (getattr(route, "endpoint", None), getattr(route, "app", None)):
                return getattr(route, "path", "unmatched")
    return "unmatched"


def _log(scope: Scope, status: int, duration: float) -> None:
    level = logging.DEBUG if scope["path"] in _QUIET and status < 400 else logging.INFO
    client = scope.get("client")
    log.log(
        level,
        "request",
        extra={
            "method": scope.get("method", "WEBSOCKET"),
            "path": scope["path"],  # without the query, which may hold what is nobody's business
            "status": status,
            "duration_ms": round(duration * 1000, 1),
            "client": client[0] if client else None,
        },
    )

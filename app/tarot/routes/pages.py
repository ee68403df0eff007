"""The pages for people: the landing page and the administrator's."""

import platform
import time
from typing import Any

import anyio
from fastapi import APIRouter, Depends, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates

from tarot import lifecycle, links, readings, words
from tarot.routes.daily import today
from tarot.routes.operations import health_of
from tarot.routes.readings import public
from tarot.security import require_password
from tarot.settings import CODE

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(directory=CODE / "templates")

# Nothing but our own pictures and style; no scripts, no frames.
_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A visitor's pages have our own script, which asks our own API. Forms are sent by nothing else.
_DRAWING = f"{_POLICY}; script-src 'self'; connect-src 'self'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _page(request: Request, name: str, content: dict[str, Any], cache: str) -> Response:
    context = {"release": request.app.state.settings.release, "static": links.static} | content
    headers = _HEADERS | {"Cache-Control": cache}
    return templates.TemplateResponse(request, name, context, headers=headers)


def _visitor(request: Request, name: str, content: dict[str, Any], cache: str) -> Response:
    """A page in the visitor's language."""
    language = words.language(request)
    # Links keep a language that was chosen; without a choice each browser gets its own.
    chosen = words.chosen(request)
    content = content | {
        "language": language,
        "other": next(other for other in words.LANGUAGES if other != language),
        "words": words.of(language),
        "query": f"?lang={chosen}" if chosen else "",
    }
    page = _page(request, name, content, cache)
    page.headers["Content-Security-Policy"] = _DRAWING
    page.headers["Vary"] = "Accept-Language"
    return page


@router.get("/", response_class=HTMLResponse)
def home(request: Request) -> Response:
    """The card of the day, and a place to draw a reading."""
    content = {"daily": today(), "spreads": list(readings.SPREADS)}
    return _visitor(request, "home.html", content, "public, max-age=60")


@router.get("/readings/{reading_id}", response_class=HTMLResponse)
def reading(request: Request, reading_id: str) -> Response:
    """A reading that was drawn; its address is the only key to it."""
    found = readings.get(request.app.state.database, reading_id)
    page = _visitor(request, "reading.html", {"reading": found and public(found)}, "no-store")
    page.headers["X-Robots-Tag"] = "noindex"
    page.status_code = 200 if found else 404
    return page


@router.get("/docs", response_class=HTMLResponse)
def docs(request: Request) -> Response:
    """The API's documentation; FastAPI's own page has its script from a public CDN."""
    return get_swagger_ui_html(
        openapi_url=request.app.openapi_url,
        title=f"{request.app.title}: the API",
        swagger_js_url=links.static("swagger/swagger-ui-bundle.js"),
        swagger_css_url=links.static("swagger/swagger-ui.css"),
        swagger_favicon_url=links.static("icon.svg"),
    )


@router.get("/admin", response_class=HTMLResponse, dependencies=[Depends(require_password)])
async def admin(request: Request) -> Response:
    """Recent readings, health and versions."""
    health = await health_of(request)
    content = {"health": health, "facts": {}, "readings": []}
    if health["database"] == "ok":
        content |= await anyio.to_thread.run_sync(_from_database, request)
    return _page(request, "admin.html", content, "no-store")


def _from_database(request: Request) -> dict[str, Any]:
    settings, database = request.app.state.settings, request.app.state.database
    return {
        "readings": [public(reading) for reading in readings.recent(database, 20)],
        "facts": {
            "Worker up for": f"{time.time() - lifecycle.STARTED:.0f} s",
            "Workers": settings.workers,
            "Python": platform.python_version(),
            "Cache": request.app.state.cache.state,
        }
        | database.facts(),
    }

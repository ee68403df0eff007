"""Login."""

import json
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request

from tarot.security import LOGIN, is_admin, issue_token

router = APIRouter(tags=["auth"])

_LONGEST = 4096
_FIELDS = {
    "type": "object",
    "required": ["username", "password"],
    "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": _FIELDS}
            for kind in ("application/json", "application/x-www-form-urlencoded")
        },
    }
}


@router.post(LOGIN, openapi_extra=_BODY)
async def login(request: Request) -> dict[str, Any]:
    """Trade the administrator's name and password, as JSON or as a form, for a token."""
    username, password = _credentials(request, await request.body())
    settings = request.app.state.settings
    if not await is_admin(request, username, password):
        raise HTTPException(401, "name or password is wrong")
    return {
        "access_token": issue_token(settings),
        "token_type": "bearer",
        "expires_in": settings.jwt_ttl_seconds,
    }


def _credentials(request: Request, body: bytes) -> tuple[str, str]:
    # A form of two fields is a query string; a library for multipart is not needed.
    try:
        if len(body) > _LONGEST:
            raise ValueError
        if request.headers.get("content-type", "").startswith("application/json"):
            fields = json.loads(body)
        else:
            fields = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        username, password = fields["username"], fields["password"]
    except (ValueError, KeyError, TypeError):
        raise HTTPException(422, "username and password are needed") from None
    if not isinstance(username, str) or not isinstance(password, str):
        raise HTTPException(422, "username and password are texts")
    return username, password

"""Who is the administrator: a password at the door, a signed token afterwards."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials, OAuth2PasswordBearer

from tarot.settings import Settings

ADMIN = "admin"
LOGIN = "/api/v1/auth/login"
ALGORITHM = "HS256"
ISSUER = "tarot"

_basic = HTTPBasic(realm="tarot admin")
_bearer = OAuth2PasswordBearer(tokenUrl=LOGIN)


def is_admin(settings: Settings, username: str, password: str) -> bool:
    """Compare in constant time; the name too, so that both cost the same."""
    name = secrets.compare_digest(username.encode(), ADMIN.encode())
    word = secrets.compare_digest(password.encode(), settings.admin_password.encode())
    return name and word


def issue_token(settings: Settings) -> str:
    """A token for the administrator."""
    now = datetime.now(UTC)
    expires = now + timedelta(seconds=settings.jwt_ttl_seconds)
    claims = {"iss": ISSUER, "sub": ADMIN, "iat": now, "exp": expires}
    return jwt.encode(claims, settings.jwt_secret_key, algorithm=ALGORITHM)


def require_token(request: Request, token: Annotated[str, Depends(_bearer)]) -> None:
    """Let a request through that carries a valid token."""
    settings: Settings = request.app.state.settings
    try:
        claims = jwt.decode(
            token,
            settings.jwt_secret_key,
            algorithms=[ALGORITHM],  # never what the token itself names
            issuer=ISSUER,
            options={"require": ["exp", "iat", "sub", "iss"]},
        )
    except jwt.InvalidTokenError:
        claims = {}
    if claims.get("sub") != ADMIN:
        challenge = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(401, "the token is not valid", headers=challenge)


def require_password(
    request: Request, credentials: Annotated[HTTPBasicCredentials, Depends(_basic)]
) -> None:
    """Let a request through that carries the administrator's password."""
    settings: Settings = request.app.state.settings
    if not is_admin(settings, credentials.username, credentials.password):
        challenge = {"WWW-Authenticate": 'Basic realm="tarot admin"'}
        raise HTTPException(401, "name or password is wrong", headers=challenge)

"""Who is the administrator: a password at the door, a signed token afterwards."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials, OAuth2PasswordBearer

from tarot.limits import limit_attempts
from tarot.settings import Settings

ADMIN = "admin"
LOGIN = "/api/v1/auth/login"
ALGORITHM = "HS256"
ISSUER = "tarot"

_basic = HTTPBasic(realm="tarot admin")
_bearer = OAuth2PasswordBearer(tokenUrl=LOGIN)


async def is_admin(request: Request, username: str, password: str) -> bool:
    """Whether these are the administrator's; 429 when there were too many attempts.

    Compares in constant time, and the name too, so that an unknown one costs the same.
    """
    # What is nobody's account is counted as one, so that inventing names fills no memory.
    await limit_attempts(request, ADMIN if _same(username, ADMIN) else "others")
    settings: Settings = request.app.state.settings
    name = _same(username, ADMIN)
    word = _same(password, settings.admin_password)
    return name and word


def _same(one: str, other: str) -> bool:
    # Hashes, as compare_digest tells whether the lengths are the same.
    return secrets.compare_digest(_hash(one), _hash(other))


def _hash(text: str) -> bytes:
    # JSON may hold halves of characters, which have no other bytes.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


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


async def require_password(
    request: Request, credentials: Annotated[HTTPBasicCredentials, Depends(_basic)]
) -> None:
    """Let a request through that carries the administrator's password."""
    if not await is_admin(request, credentials.username, credentials.password):
        challenge = {"WWW-Authenticate": 'Basic realm="tarot admin"'}
        raise HTTPException(401, "name or password is wrong", headers=challenge)

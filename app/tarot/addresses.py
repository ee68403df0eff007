"""Where the database is: what DATABASE_URL says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SQLITE = "sqlite:///"
POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
ALLOWED = "sqlite:///<path of a file>, or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


class AddressError(ValueError):
    """Says what is allowed in place of the address, and nothing of the address."""


@dataclass(frozen=True)
class SQLiteAddress:
    """A file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class PostgresAddress:
    """A database of a server; the URL holds the password, so nothing shows it."""

    url: URL = field(repr=False)

    def __str__(self) -> str:
        """Server and database, for logs."""
        host = self.url.host or self.url.query.get("host", "")
        return f"{host}/{self.url.database}"

    def arguments(self) -> dict[str, Any]:
        """The same as libpq's parameters."""
        named = self.url.translate_connect_args(username="user", database="dbname")
        return named | dict(self.url.query)


Address = SQLiteAddress | PostgresAddress


def parse(value: str) -> Address:
    """The address that a value of DATABASE_URL means; raises AddressError."""
    if value.startswith(SQLITE):
        return _file(value.removeprefix(SQLITE))
    if value.split("://")[0] in POSTGRES:
        return _server(value)
    raise AddressError(ALLOWED)


def scheme(value: str) -> str:
    """What may be shown of a value that may hold a password."""
    return value.split(":")[0] + ":…" if ":" in value else "…"


def _file(path: str) -> SQLiteAddress:
    # A database in memory would be another one in every worker.
    if not path or path.startswith((":", "file:")) or "?" in path:
        raise AddressError(ALLOWED)
    if not Path(path).resolve().parent.is_dir():
        raise AddressError("a file in a folder that exists")
    return SQLiteAddress(Path(path).resolve())


def _server(value: str) -> PostgresAddress:
    try:
        url = make_url(value).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):  # the port is no number
        raise AddressError(ALLOWED) from None
    # A socket's folder is named after the "?". libpq would take a missing database for the user's.
    if not url.database or not (url.host or "host" in url.query):
        raise AddressError(ALLOWED)
    return PostgresAddress(url)

"""PostgreSQL, by psycopg.

What a request does is one statement, or an INSERT whose unique key decides, so READ COMMITTED
suffices, and a transaction is begun like any other.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tarot.addresses import PostgresAddress
from tarot.settings import Settings
from tarot.stores import DatabaseGoneError, MigrationError

LOCK_TIMEOUT = 120.0
# The key of the advisory lock under which migrations run.
LOCK = "hashtext('tarot migrate')"
# Seconds after which a connection is another one, whatever it has gathered in the server.
RECYCLE = 1800
# A neighbour answers within milliseconds. A machine that is gone says nothing: after so many
# milliseconds without an acknowledgement a connection to it is dead.
PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 15_000, "keepalives_idle": 30}
# No request of this application takes a second. A pooler may ignore these.
LIMITS = "-c statement_timeout=10s -c lock_timeout=5s"

log = logging.getLogger(__name__)


class PostgresStore:
    """A database of a server."""

    name = f"PostgreSQL (psycopg {psycopg.__version__})"

    def __init__(self, settings: Settings, address: PostgresAddress) -> None:
        self._settings = settings
        self._address = address

    def pool(self) -> Engine:
        """A pool of connections, each of which is tried before it is used: a server that was
        started again has ended them, and a request should not be what finds out."""
        return create_engine(
            self._address.url,
            pool_size=self._settings.db_pool_size,
            max_overflow=self._settings.db_max_overflow,
            pool_timeout=self._settings.db_pool_timeout,
            pool_recycle=RECYCLE,
            pool_pre_ping=True,
            connect_args=_arguments() | {"options": LIMITS},
        )

    def begin(self, connection: Connection, *, writes: bool) -> float | None:
        """The driver begins it, with its first statement."""

    @contextmanager
    def migrating(self) -> Iterator[Engine]:
        """Under an advisory lock, which ends with its connection, so it is never stale."""
        engine = create_engine(self._address.url, poolclass=NullPool, connect_args=_arguments())
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as lock:
                try:
                    lock.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}s'"))
                    lock.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
                except DBAPIError as error:
                    if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                        raise
                    message = f"the lock of migrations: held by another for {LOCK_TIMEOUT:.0f} s"
                    raise MigrationError(message) from None
                yield engine
        finally:
            engine.dispose()

    def check(self) -> None:
        """Connect, and look for the schema.

        What the driver says has addresses and names in it, which /health shows to nobody.
        """
        limits = {"connect_timeout": 2, "options": "-c statement_timeout=2s"}
        try:
            arguments = self._address.arguments() | _arguments() | limits
            with psycopg.connect(**arguments) as connection:
                connection.execute("SELECT version_num FROM alembic_version").fetchall()
        except psycopg.errors.UndefinedTable as error:
            raise DatabaseGoneError("the database has no schema") from error
        except psycopg.Error as error:
            log.warning("no database", extra={"error": str(error).strip()})
            raise DatabaseGoneError("the database does not answer") from error

    def error_kind(self, error: BaseException) -> str | None:
        """Locked: another transaction has what this one needs. Gone: the server ended it, or
        there is none."""
        locked = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
        if isinstance(error, locked):
            return "locked"
        shutdown = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)
        if isinstance(error, (*shutdown, psycopg.errors.CannotConnectNow)):
            return "gone"
        # One of libpq's own, which are about the connection, has no SQLSTATE.
        if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
            return "gone"
        return None

    def facts(self, session: Session) -> Mapping[str, str]:
        """The server's version, and where it is."""
        version = session.execute(text("SHOW server_version")).scalar_one()
        return {"PostgreSQL": version.split(" ")[0], "Driver": f"psycopg {psycopg.__version__}"}

    def sizes(self) -> Mapping[str, int]:
        """Its files are the server's, whose exporter tells their sizes."""
        return {}


def _arguments() -> dict[str, Any]:
    # Statements that a connection prepares are not known to the next one that a pooler gives.
    return PATIENCE | {"application_name": "tarot", "prepare_threshold": None}

"""The database: SQLite in WAL, shared by every worker of every container on the volume.

Writers take the lock when they begin (BEGIN IMMEDIATE), because a transaction that starts
as a reader and writes later fails at once, without the busy timeout, when another wrote.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from tarot import metrics
from tarot.settings import Settings
from tarot.sqlite import connect
from tarot.turns import NoTurnError, Turns


class DatabaseGoneError(Exception):
    """The database's file is missing, replaced, or without the application's tables."""


class Database:
    """A pool of connections, with short transactions for reading and for writing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.path = settings.database_path
        self._inode: int | None = None
        self.engine = create_engine(
            "sqlite:///" + str(self.path),
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=settings.db_pool_size,
            max_overflow=settings.db_max_overflow,
            pool_timeout=settings.db_pool_timeout,
        )
        _instrument(self.engine, Turns(settings.db_busy_timeout_ms / 1000))
        for kind in ("locked", "pool_timeout"):
            metrics.DB_ERRORS.labels(kind)  # shown as 0 before the first one
        metrics.DB_POOL_SIZE.set(settings.db_pool_size + settings.db_max_overflow)
        self._writer = self.engine.execution_options(writes=True)

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.path, self._settings)
        if self._inode is None:
            self._inode = self.path.stat().st_ino
        return connection

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one state of the database and never blocks a writer."""
        with Session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that holds the write lock from its begin: keep it short."""
        with Session(self._writer) as session, session.begin():
            yield session

    def check(self) -> None:
        """Raise an error when the database is not there or doesn't answer.

        It opens a connection of its own: an exhausted pool means busy, not gone, and the
        open connections still work on a file that was deleted or replaced behind them.
        """
        try:
            if self._inode not in (None, self.path.stat().st_ino):
                raise DatabaseGoneError("the database file was replaced; restart the server")
            connection = connect(self.path, self._settings)
            try:
                connection.execute("SELECT version_num FROM alembic_version").fetchall()
            finally:
                connection.close()
        except (OSError, sqlite3.Error) as error:
            raise DatabaseGoneError(str(error)) from error

    def journal_mode(self) -> str:
        """The journal mode that is in force."""
        with self.read() as session:
            return str(session.execute(text("PRAGMA journal_mode")).scalar_one())

    def dispose(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()


def _instrument(engine: Engine, turns: Turns) -> None:
    """Begin transactions as their option says, and count what happens."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("writes"):
            connection.exec_driver_sql("BEGIN")
            return
        started = time.perf_counter()
        try:
            turns.begin(connection.connection.dbapi_connection)
        except NoTurnError:
            metrics.DB_ERRORS.labels("locked").inc()
            raise
        metrics.DB_LOCK_WAIT.observe(time.perf_counter() - started)

    @event.listens_for(engine, "handle_error")
    def count_error(context: ExceptionContext) -> None:
        error = context.original_exception
        if isinstance(error, sqlite3.IntegrityError):
            return  # a retried request meets its own idempotency key: no fault
        locked = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
        metrics.DB_ERRORS.labels("locked" if locked else type(error).__name__).inc()

    @event.listens_for(engine, "checkout")
    def checkout(*_: object) -> None:
        metrics.DB_POOL_CHECKED_OUT.inc()

    @event.listens_for(engine, "checkin")
    def checkin(*_: object) -> None:
        metrics.DB_POOL_CHECKED_OUT.dec()

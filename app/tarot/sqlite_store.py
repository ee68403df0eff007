"""SQLite in WAL, shared by every worker of every container on the volume.

Writers take the lock when they begin (BEGIN IMMEDIATE), because a transaction that starts
as a reader and writes later fails at once, without the busy timeout, when another wrote.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, QueuePool

from tarot.addresses import SQLiteAddress
from tarot.settings import Settings
from tarot.sqlite import connect, has_wal_reset_bug
from tarot.stores import DatabaseGoneError, MigrationError
from tarot.turns import Turns

LOCK_TIMEOUT = 120.0


class SQLiteStore:
    """A file."""

    name = f"SQLite {sqlite3.sqlite_version}"

    def __init__(self, settings: Settings, address: SQLiteAddress) -> None:
        self._settings = settings
        self._path = address.path
        self._inode: int | None = None
        self._turns = Turns(settings.db_busy_timeout_ms / 1000)

    def pool(self) -> Engine:
        """A pool of connections, which begin no transaction by themselves."""
        return create_engine(
            f"sqlite:///{self._path}",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=self._settings.db_pool_size,
            max_overflow=self._settings.db_max_overflow,
            pool_timeout=self._settings.db_pool_timeout,
        )

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path, self._settings)
        if self._inode is None:
            self._inode = self._path.stat().st_ino
        return connection

    def begin(self, connection: Connection, *, writes: bool) -> float | None:
        """Readers begin at once; writers wait for their turn, and may raise a NoTurnError."""
        if not writes:
            connection.exec_driver_sql("BEGIN")
            return None
        started = time.perf_counter()
        self._turns.begin(connection.connection.dbapi_connection)
        return time.perf_counter() - started

    @contextmanager
    def migrating(self) -> Iterator[Engine]:
        """Under a file's lock; the one place that may make the file."""
        with _lock(self._path.parent / ".migrate.lock"):
            engine = create_engine(
                f"sqlite:///{self._path}",
                creator=lambda: connect(self._path, self._settings, create=True),
                poolclass=NullPool,
            )

            @event.listens_for(engine, "begin")
            def begin(connection: Connection) -> None:
                connection.exec_driver_sql("BEGIN IMMEDIATE")

            try:
                yield engine
            finally:
                engine.dispose()

    def check(self) -> None:
        """Look at the file, too: the open connections still work on one that was deleted or
        replaced behind them."""
        try:
            if self._inode not in (None, self._path.stat().st_ino):
                raise DatabaseGoneError("the database file was replaced; restart the server")
            connection = connect(self._path, self._settings)
            try:
                connection.execute("SELECT version_num FROM alembic_version").fetchall()
            finally:
                connection.close()
        except (OSError, sqlite3.Error) as error:
            raise DatabaseGoneError(str(error)) from error

    def error_kind(self, error: BaseException) -> str | None:
        """Locked: the busy timeout ran out."""
        locked = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
        return "locked" if locked else None

    def facts(self, session: Session) -> Mapping[str, str]:
        """Version and journal, as they are in force."""
        bug = " (WAL-reset bug: update)" if has_wal_reset_bug() else ""
        mode = session.execute(text("PRAGMA journal_mode")).scalar_one()
        synchronous = self._settings.db_synchronous
        return {
            "SQLite": sqlite3.sqlite_version + bug,
            "Journal": f"{mode}, synchronous {synchronous}",
        }

    def sizes(self) -> Mapping[str, int]:
        """Of the file, and of its WAL."""
        files = {"main": self._path, "wal": Path(f"{self._path}-wal")}
        return {label: path.stat().st_size if path.exists() else 0 for label, path in files.items()}


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a file's lock; the kernel frees it when the process dies, so it is never stale."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise MigrationError(f"lock file {path}: {error.strerror}") from error
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = f"lock file {path}: held by another for {LOCK_TIMEOUT:.0f} s"
                    raise MigrationError(message) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)

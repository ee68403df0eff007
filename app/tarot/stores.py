"""What differs from one kind of database to another.

The module of a kind is imported where it is asked for: psycopg costs memory that nobody with
a file needs. None imports tarot.metrics, since the start asks them before there is a worker.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from tarot.addresses import PostgresAddress
from tarot.settings import Settings


class DatabaseGoneError(Exception):
    """The database is not there, does not answer, or is without the application's tables."""


class MigrationError(Exception):
    """The schema could not be brought up to date."""


class Store(Protocol):
    """A kind of database, at the place that the settings name."""

    # The kind, and what is known of its version without asking it.
    name: str

    def pool(self) -> Engine:
        """An engine for the requests of one worker."""
        ...

    def begin(self, connection: Connection, *, writes: bool) -> float | None:
        """Begin a transaction of the pool's, if its driver does not; the seconds that it waited
        for others to have written, where only one may at a time."""
        ...

    def migrating(self) -> AbstractContextManager[Engine]:
        """An engine to change the schema with, for one process at a time."""
        ...

    def check(self) -> None:
        """Raise a DatabaseGoneError when the database is not there or doesn't answer.

        It opens a connection of its own: an exhausted pool means busy, not gone.
        """
        ...

    def error_kind(self, error: BaseException) -> str | None:
        """What the metrics call this error of the driver's; None: as its class is called."""
        ...

    def facts(self, session: Session) -> Mapping[str, str]:
        """What an administrator wants to know of it."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """The sizes of its files in bytes, where they are this application's."""
        ...


def of(settings: Settings) -> Store:
    """The store that the settings name."""
    if isinstance(settings.database, PostgresAddress):
        from tarot.postgres_store import PostgresStore

        return PostgresStore(settings, settings.database)
    from tarot.sqlite_store import SQLiteStore

    return SQLiteStore(settings, settings.database)

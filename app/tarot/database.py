"""The database: a pool of connections, with short transactions for reading and for writing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tarot import metrics, stores
from tarot.settings import Settings
from tarot.stores import Store
from tarot.turns import NoTurnError


class Database:
    """What requests see of the database, whichever kind it is of."""

    def __init__(self, settings: Settings) -> None:
        self.store: Store = stores.of(settings)
        self.engine = self.store.pool()
        _instrument(self.engine, self.store)
        for kind in ("locked", "pool_timeout", "gone"):
            metrics.DB_ERRORS.labels(kind)  # shown as 0 before the first one
        metrics.DB_POOL_SIZE.set(settings.db_pool_size + settings.db_max_overflow)
        self._writer = self.engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads, and never blocks a writer."""
        with Session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may hold up other writers from its begin: keep it short."""
        with Session(self._writer) as session, session.begin():
            yield session

    def check(self) -> None:
        """Raise a DatabaseGoneError when the database is not there or doesn't answer."""
        self.store.check()

    def facts(self) -> Mapping[str, str]:
        """What an administrator wants to know of it."""
        with self.read() as session:
            return self.store.facts(session)

    def dispose(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()


def _instrument(engine: Engine, store: Store) -> None:
    """Begin transactions as their option says, and count what happens."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        try:
            waited = store.begin(connection, writes=writes)
        except NoTurnError:
            metrics.DB_ERRORS.labels("locked").inc()
            raise
        if waited is not None:
            metrics.DB_LOCK_WAIT.observe(waited)

    @event.listens_for(engine, "handle_error")
    def count_error(context: ExceptionContext) -> None:
        if isinstance(context.sqlalchemy_exception, IntegrityError):
            return  # a retried request meets its own idempotency key: no fault
        if context.is_pre_ping:
            return  # there is a new connection before the request has one
        error = context.original_exception
        kind = "gone" if context.is_disconnect else store.error_kind(error)
        metrics.DB_ERRORS.labels(kind or type(error).__name__).inc()

    @event.listens_for(engine, "checkout")
    def checkout(*_: object) -> None:
        metrics.DB_POOL_CHECKED_OUT.inc()

    @event.listens_for(engine, "checkin")
    def checkin(*_: object) -> None:
        metrics.DB_POOL_CHECKED_OUT.dec()

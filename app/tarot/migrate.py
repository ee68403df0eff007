"""Bring the database's schema up to date, once, however many replicas start together."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool

from tarot.settings import CODE, Settings
from tarot.sqlite import connect

LOCK_TIMEOUT = 120.0

log = logging.getLogger(__name__)


class MigrationError(Exception):
    """The schema could not be brought up to date."""


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic has to do with it: the backup keeps tables of its own in the database."""
    return kind != "table" or name is None or not name.startswith("_litestream_")


def migrate(settings: Settings) -> None:
    """Run the migrations that are missing; whoever comes second finds nothing to do."""
    with _lock(settings.database_path.parent / ".migrate.lock"):
        engine = _engine(settings)
        try:
            _upgrade(engine)
        finally:
            engine.dispose()


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(CODE / "migrations").replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        log.info("database schema is current", extra={"revision": current})
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        # After a rollback the newer release's schema is still there. Migrations are
        # additive, so this release works with it; refusing would break the rollback.
        log.warning("database schema is newer than this release", extra={"revision": current})
        return
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    extra = {"from_revision": current, "revision": scripts.get_current_head()}
    log.info("database schema migrated", extra=extra)


def _engine(settings: Settings) -> Engine:
    path = settings.database_path
    engine = create_engine(
        "sqlite:///" + str(path),
        creator=lambda: connect(path, settings, create=True),
        poolclass=NullPool,
    )

    @event.listens_for(engine, "begin")
    def begin(connection) -> None:  # noqa: ANN001
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


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

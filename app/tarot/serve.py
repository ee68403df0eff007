"""Start: settings, migrations, then the server, in this order and in the foreground."""

import logging.config
import platform

from tarot import logs, metrics_folder, stores
from tarot import settings as environment
from tarot.addresses import SQLiteAddress
from tarot.migrate import migrate
from tarot.settings import Settings
from tarot.sqlite import has_wal_reset_bug

log = logging.getLogger(__name__)


def serve() -> int:
    """Run the server until SIGTERM; returns the process's exit code."""
    settings = environment.load()
    logging.config.dictConfig(logs.config(settings.log_level))
    logging.captureWarnings(True)
    metrics_folder.prepare(settings.port)
    _report(settings)
    if settings.migrate_on_start and not _migrate(settings):
        return 1

    from tarot import server  # imports prometheus_client: after prepare()

    return server.run(settings)


def migrate_only() -> int:
    """Run the migrations and end: for a job that goes before the servers."""
    settings = environment.load(secrets=False)
    logging.config.dictConfig(logs.config(settings.log_level))
    return 0 if _migrate(settings) else 1


def _migrate(settings: Settings) -> bool:
    try:
        migrate(settings)
    except Exception:  # whatever it is, the log must be JSON and the exit code 1
        log.exception("migration failed", extra={"database": str(settings.database)})
        return False
    return True


def _report(settings: Settings) -> None:
    log.info(
        "starting",
        extra={
            "release": settings.release,
            "workers": settings.workers,
            "python": platform.python_version(),
            "database": stores.of(settings).name,
        },
    )
    if isinstance(settings.database, SQLiteAddress) and has_wal_reset_bug():
        log.warning(
            "this SQLite has the WAL-reset bug: with several writers, a crash at the wrong "
            "moment can lose a commit; fixed in 3.51.3, 3.50.7 and 3.44.6"
        )

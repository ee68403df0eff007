"""Bring the database's schema up to date, once, however many replicas start together."""

import logging

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from tarot import stores
from tarot.settings import CODE, Settings

log = logging.getLogger(__name__)


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic has to do with it: the backup keeps tables of its own in the database."""
    return kind != "table" or name is None or not name.startswith("_litestream_")


def migrate(settings: Settings) -> None:
    """Run the migrations that are missing; whoever comes second finds nothing to do."""
    with stores.of(settings).migrating() as engine:
        _upgrade(engine)


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

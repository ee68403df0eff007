import fcntl
import multiprocessing
import shutil

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tarot import migrate as migrations
from tarot import readings, sqlite_store
from tarot import settings as environment
from tarot.database import Database
from tarot.models import Base
from tarot.stores import MigrationError


def asked(settings, statement):
    """One statement, and what it says."""
    database = Database(settings)
    try:
        with database.write() as session:
            result = session.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        database.dispose()


@pytest.mark.databases
def test_schema_is_what_the_models_say(settings, kind):
    database = Database(settings)
    with database.engine.connect() as connection:
        if kind == "sqlite":  # what litestream keeps beside the application's tables
            connection.exec_driver_sql("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY)")
            connection.exec_driver_sql("CREATE TABLE _litestream_lock (id INTEGER)")
        context = MigrationContext.configure(connection, opts={"include_name": migrations.is_ours})
        assert compare_metadata(context, Base.metadata) == []
    database.dispose()


def test_tables_of_others_are_known_by_their_name():
    assert not migrations.is_ours("_litestream_seq", "table", {})
    assert migrations.is_ours("readings", "table", {})
    assert migrations.is_ours(None, "schema", {})


@pytest.mark.databases
def test_replicas_start_together(environ, kind):
    settings = environment.load(environ)
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=migrations.migrate, args=(settings,)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 6
    assert asked(settings, "SELECT version_num FROM alembic_version") == [("0002",)]
    if kind == "sqlite":
        assert asked(settings, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.databases
def test_a_newer_schema_is_left_alone(settings, caplog):
    asked(settings, "UPDATE alembic_version SET version_num = '9999'")
    migrations.migrate(settings)
    assert "newer than this release" in caplog.text
    assert asked(settings, "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.databases
def test_a_failed_migration_leaves_nothing(settings, tmp_path, monkeypatch):
    shutil.copytree(migrations.CODE / "migrations", tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "0003_broken.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = '0003', '0002'\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half (id INTEGER)')\n"
        "    op.execute('INSERT INTO nowhere VALUES (1)')\n"
    )
    monkeypatch.setattr(migrations, "CODE", tmp_path)
    with pytest.raises(DBAPIError, match="nowhere"):
        migrations.migrate(settings)
    assert asked(settings, "SELECT version_num FROM alembic_version") == [("0002",)]
    with pytest.raises(DBAPIError, match="half"):
        asked(settings, "SELECT 1 FROM half")


def test_who_waits_too_long_says_so(environ, monkeypatch):
    settings = environment.load(environ)
    monkeypatch.setattr(sqlite_store, "LOCK_TIMEOUT", 0.2)
    with (settings.database.path.parent / ".migrate.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(MigrationError, match="held by another"):
            migrations.migrate(settings)


@pytest.mark.databases
def test_the_release_before_works_on_the_new_schema(settings):
    """0002 is an expand: what 0001's code does must still be possible."""
    columns = "id, created_at, question, spread, draws, idempotency_key, fingerprint"
    values = "'old', '2026-01-01', 'q', 'single', '[]', NULL, 'f'"
    asked(settings, f"INSERT INTO readings ({columns}) VALUES ({values})")
    assert asked(settings, f"SELECT {columns} FROM readings")[0][0] == "old"
    database = Database(settings)
    assert [reading.smoke for reading in readings.recent(database, 10)] == [False]
    database.dispose()

import fcntl
import multiprocessing
import shutil
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import OperationalError

from tarot import migrate as migrations
from tarot import readings
from tarot import settings as environment
from tarot.database import Database
from tarot.models import Base


def test_schema_is_what_the_models_say(settings):
    database = Database(settings)
    with database.engine.connect() as connection:
        # What litestream keeps beside the application's tables.
        connection.exec_driver_sql("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INT)")
        connection.exec_driver_sql("CREATE TABLE _litestream_lock (id INTEGER)")
        context = MigrationContext.configure(connection, opts={"include_name": migrations.is_ours})
        assert compare_metadata(context, Base.metadata) == []
    database.dispose()


def test_tables_of_others_are_known_by_their_name():
    assert not migrations.is_ours("_litestream_seq", "table", {})
    assert migrations.is_ours("readings", "table", {})
    assert migrations.is_ours(None, "schema", {})


def test_replicas_start_together(environ):
    settings = environment.load(environ)
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=migrations.migrate, args=(settings,)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 6
    connection = sqlite3.connect(settings.database_path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0002",)]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_newer_schema_is_left_alone(settings, caplog):
    connection = sqlite3.connect(settings.database_path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    migrations.migrate(settings)
    assert "newer than this release" in caplog.text
    found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert found == [("9999",)]
    connection.close()


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
    with pytest.raises(OperationalError):
        migrations.migrate(settings)
    connection = sqlite3.connect(settings.database_path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0002",)]
    assert connection.execute("SELECT name FROM sqlite_master WHERE name='half'").fetchall() == []
    connection.close()


def test_who_waits_too_long_says_so(environ, monkeypatch):
    settings = environment.load(environ)
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", 0.2)
    with (settings.database_path.parent / ".migrate.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(migrations.MigrationError, match="held by another"):
            migrations.migrate(settings)


def test_the_release_before_works_on_the_new_schema(settings):
    """0002 is an expand: what 0001's code does must still be possible."""
    connection = sqlite3.connect(settings.database_path)
    columns = "id, created_at, question, spread, draws, idempotency_key, fingerprint"
    values = "'old', '2026-01-01', 'q', 'single', '[]', NULL, 'f'"
    connection.execute(f"INSERT INTO readings ({columns}) VALUES ({values})")
    connection.commit()
    assert connection.execute(f"SELECT {columns} FROM readings").fetchall()[0][0] == "old"
    connection.close()
    database = Database(settings)
    assert [reading.smoke for reading in readings.recent(database, 10)] == [False]
    database.dispose()

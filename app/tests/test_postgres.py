"""What PostgreSQL does that SQLite does not."""

import time
from dataclasses import replace

import psycopg
import pytest
from conftest import ask
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from tarot import postgres_store, readings
from tarot.application import create
from tarot.database import Database
from tarot.migrate import migrate
from tarot.stores import MigrationError

URL = "/api/v1/readings"


@pytest.fixture
def kind(request):
    """Never SQLite."""
    return "postgresql"


@pytest.fixture
def url(environ):
    return environ["DATABASE_URL"]


def errors(kind: str) -> float:
    return REGISTRY.get_sample_value("db_errors_total", {"kind": kind}) or 0


def end_sessions(url: str) -> int:
    """As a server does that is started again."""
    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    return len(ask(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}"))


def test_a_server_that_was_restarted_costs_no_request(client, url):
    made = client.post(URL, json={}).json()
    before = errors("gone")
    assert end_sessions(url) > 0
    assert client.get(f"{URL}/{made['id']}").json() == made
    assert end_sessions(url) > 0
    assert client.post(URL, json={}).status_code == 201
    assert errors("gone") == before


def test_a_session_that_ends_midway_is_503(client, url, monkeypatch):
    before = errors("gone")
    database = client.app.state.database

    def ended(*_, **__):
        with database.write() as session:
            session.connection().exec_driver_sql("SELECT 1")
            end_sessions(url)
            session.connection().exec_driver_sql("SELECT 1")

    monkeypatch.setattr(readings, "create", ended)
    answer = client.post(URL, json={})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert errors("gone") == before + 1
    monkeypatch.undo()
    assert client.post(URL, json={}).status_code == 201


def test_without_a_server_it_is_503_and_says_nothing_of_it(settings, caplog):
    nobody = replace(settings.database, url=settings.database.url.set(port=1, username="hunter2"))
    with TestClient(create(replace(settings, database=nobody))) as client:
        health = client.get("/health")
        assert (health.status_code, health.json()["database"]) == (
            503,
            "the database does not answer",
        )
        answer = client.post(URL, json={})
        assert (answer.status_code, answer.json()) == (503, {"detail": "the database is busy"})
    assert "port 1" in str([vars(record) for record in caplog.records])


def test_health_needs_no_connection_of_the_pool(settings):
    small = replace(settings, db_pool_size=1, db_max_overflow=0, db_pool_timeout=1)
    with TestClient(create(small)) as client, client.app.state.database.read() as session:
        session.connection()
        assert client.get("/health").status_code == 200
        assert client.post(URL, json={}).status_code == 503


def test_who_waits_too_long_for_a_lock(settings, url, monkeypatch):
    monkeypatch.setattr(postgres_store, "LIMITS", "-c lock_timeout=100ms")
    before = errors("locked")
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE readings")
        with TestClient(create(settings)) as client:
            assert client.post(URL, json={}).status_code == 503
    assert errors("locked") == before + 1


def test_limits_of_a_session(settings):
    database = Database(settings)
    with database.read() as session:
        connection = session.connection()
        shown = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("statement_timeout", "lock_timeout", "application_name")
        }
    database.dispose()
    assert shown == {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "application_name": "tarot",
    }


def test_nothing_is_prepared_that_a_pooler_could_not_know(settings):
    database = Database(settings)
    with database.read() as session:
        for _ in range(20):
            readings.recent(database, 1)
            session.connection().exec_driver_sql("SELECT 1")
        query = "SELECT count(*) FROM pg_prepared_statements"
        assert session.connection().exec_driver_sql(query).scalar_one() == 0
    database.dispose()


def test_two_migrations_wait_for_each_other(settings, url, monkeypatch):
    monkeypatch.setattr(postgres_store, "LOCK_TIMEOUT", 0.2)
    with psycopg.connect(url) as other:
        other.execute(f"SELECT pg_advisory_lock({postgres_store.LOCK})")
        started = time.monotonic()
        with pytest.raises(MigrationError, match="held by another"):
            migrate(settings)
        assert time.monotonic() - started < 10
    migrate(settings)

import dataclasses
import json
import logging
import re
import threading

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from tarot import lifecycle
from tarot.application import create
from tarot.database import Database
from tarot.logs import JsonFormatter, request_id
from tarot.sqlite import WAL_LIMIT, connect, has_wal_reset_bug


@pytest.mark.databases
def test_health(client):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "instance": "here",
        "release": "r1",
        "database": "ok",
    }


def test_health_while_draining(client, monkeypatch):
    monkeypatch.setattr(lifecycle, "_draining", threading.Event())
    lifecycle.start_draining()
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "draining")


def test_health_without_database(client, settings):
    client.post("/api/v1/readings", json={})  # a connection is in the pool
    moved = settings.database.path.rename(settings.database.path.with_suffix(".moved"))
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert not settings.database.path.exists()  # nobody made an empty one
    settings.database.path.write_bytes(moved.read_bytes())
    assert "replaced" in client.get("/health").json()["database"]


@pytest.mark.databases
def test_health_without_tables(settings):
    database = Database(settings)
    with database.write() as session:
        session.execute(text("DROP TABLE alembic_version"))
    database.dispose()
    with TestClient(create(settings)) as client:
        assert client.get("/health").status_code == 503


def test_docs_need_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)["']|url: ["']([^"']+)["']""", page)
    own = [first or second for first, second in addresses]
    assert {"/openapi.json", "/static/swagger/swagger-ui-bundle.js"} <= set(own)
    assert "//" not in "".join(own)
    for address in own:
        assert client.get(address).status_code == 200, address
    assert "SwaggerUIBundle" in client.get("/static/swagger/swagger-ui-bundle.js").text
    assert client.get("/redoc").status_code == 404  # it would be a CDN's


def test_request_id(client):
    assert (
        client.get("/health", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    )
    for bad in ("", "a b", "x" * 129, 'a"b'):
        made = client.get("/nothing", headers={"X-Request-ID": bad}).headers["x-request-id"]
        assert made != bad
        assert len(made) == 32


def test_unexpected_error(client, caplog):
    def broken(question: str) -> None:
        raise RuntimeError("a secret of the code")

    client.app.get("/broken")(broken)
    answer = client.get("/broken?question=private")
    assert answer.status_code == 500
    assert answer.json() == {
        "detail": "internal error",
        "request_id": answer.headers["x-request-id"],
    }
    assert "a secret of the code" in caplog.text
    assert "private" not in "".join(str(vars(record)) for record in caplog.records)


def test_metrics(client):
    client.get("/api/v1/cards/the-sun")
    client.post("/api/v1/readings", json={})
    client.get("/no/such/path")
    text = client.get("/metrics").text
    for line in (
        'http_requests_total{method="GET",route="/api/v1/cards/{card_id}",status="200"}',
        'http_request_duration_seconds_bucket{le="0.005",method="GET"',
        'http_requests_total{method="GET",route="unmatched",status="404"}',
        'tarot_info{database="SQLite ',
        'db_file_bytes{file="main"}',
        'db_errors_total{kind="locked"}',
        'db_errors_total{kind="gone"}',
        "db_lock_wait_seconds_count",
        "db_pool_size 15.0",
        "db_pool_checked_out 0.0",
    ):
        assert line in text


@pytest.mark.parametrize("path", ["slow?seconds=0", "fail"])
def test_faults_exist_only_for_tests(client, path):
    assert client.get(f"/api/v1/debug/{path}").status_code == 404


def test_a_wal_that_has_grown_shrinks_again(settings):
    connection = connect(settings.database.path, settings)
    reader = connect(settings.database.path, settings)
    connection.execute("CREATE TABLE filler (data BLOB)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM filler").fetchall()  # holds the WAL as it is
    for _ in range(24):
        connection.execute("INSERT INTO filler VALUES (zeroblob(1048576))")
    wal = settings.database.path.with_name(settings.database.path.name + "-wal")
    assert wal.stat().st_size > WAL_LIMIT
    reader.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("INSERT INTO filler VALUES (1)")
    assert wal.stat().st_size <= WAL_LIMIT


def test_a_fault_on_request(settings):
    asked = dataclasses.replace(settings, enable_test_endpoints=True)
    with TestClient(create(asked), raise_server_exceptions=False) as client:
        assert client.get("/api/v1/debug/fail").status_code == 500


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 46, 1), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_wal_reset_bug(version, affected):
    assert has_wal_reset_bug(version) is affected


def test_the_image_has_a_sqlite_without_it():
    assert not has_wal_reset_bug()


def test_log_line():
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "msg": "two\nlines %s", "args": ("你",), "status": 200}
    )
    token = request_id.set("abc")
    text = JsonFormatter().format(record)
    request_id.reset(token)
    assert "\n" not in text
    line = json.loads(text)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "x",
        "message": "two\nlines 你",
        "request_id": "abc",
        "status": 200,
    }

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from tarot import deck, readings
from tarot.application import create
from tarot.database import Database

URL = "/api/v1/readings"


@pytest.mark.databases
def test_create_and_get(client):
    answer = client.post(URL, json={"question": "Will it rain?", "spread": "cross"})
    assert answer.status_code == 201
    reading = answer.json()
    assert len({card["card"] for card in reading["cards"]}) == 5
    for card in reading["cards"]:
        drawn = deck.CARDS[card["card"]]
        text = drawn.reversed if card["reversed"] else drawn.upright
        assert card["meaning"] == {"en": text.en, "zh": text.zh}
    assert answer.headers["location"] == f"{URL}/{reading['id']}"
    assert client.get(answer.headers["location"]).json() == reading
    assert client.get(f"{URL}/nothing").status_code == 404


@pytest.mark.parametrize(
    "body", [{"spread": "seven"}, {"question": "x" * 501}, {"question": "a\0b"}, {"q": "x"}, []]
)
def test_bad_request(client, body):
    assert client.post(URL, json=body).status_code == 422


@pytest.mark.databases
def test_idempotency(client):
    key = {"Idempotency-Key": "a-key"}
    first = client.post(URL, json={"question": "?"}, headers=key)
    again = client.post(URL, json={"spread": "three", "question": "?"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = client.post(URL, json={"question": "!"}, headers=key)
    assert other.status_code == 422
    assert client.post(URL, json={}, headers={"Idempotency-Key": "a b"}).status_code == 422


@pytest.mark.databases
def test_without_key_each_request_is_a_reading(client):
    assert client.post(URL, json={}).json()["id"] != client.post(URL, json={}).json()["id"]


@pytest.mark.databases
def test_two_replicas_race_with_one_key(settings):
    replicas = [Database(settings), Database(settings)]

    def post(number: int) -> tuple[str, bool]:
        key = f"key-{number // 8}"
        stored = readings.create(replicas[number % 2], "?", "single", key)
        return stored.reading.id, stored.replayed

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(post, range(160)))
    assert len({identifier for identifier, _ in answers}) == 20
    assert sum(not replayed for _, replayed in answers) == 20
    assert len(readings.recent(replicas[0], 1000)) == 20
    for replica in replicas:
        replica.dispose()


@pytest.mark.databases
def test_list_is_for_the_administrator(client, token):
    assert client.get(URL).status_code == 401
    made = [client.post(URL, json={}).json()["id"] for _ in range(3)]
    listed = client.get(f"{URL}?limit=2", headers=token).json()
    assert [reading["id"] for reading in listed] == made[:0:-1]
    rest = client.get(f"{URL}?limit=2&offset=2", headers=token).json()
    assert [reading["id"] for reading in rest] == made[:1]


def test_a_writer_has_the_lock_from_its_begin(settings):
    database = Database(settings)
    other = sqlite3.connect(settings.database.path, isolation_level=None, timeout=0)
    with database.write() as session:
        session.connection()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    with database.read() as session:
        session.connection()
        other.execute("BEGIN IMMEDIATE")
    other.close()
    database.dispose()


def test_busy_database_is_503(settings):
    other = sqlite3.connect(settings.database.path, isolation_level=None)
    with TestClient(create(replace(settings, db_busy_timeout_ms=50))) as client:
        other.execute("BEGIN IMMEDIATE")
        answer = client.post(URL, json={})
        other.close()
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert client.post(URL, json={}).status_code == 201


@pytest.mark.databases
def test_a_smoke_test_tidies_up_and_nothing_else(client, token):
    smoke = {"X-Smoke-Test": "true"}
    users = client.post("/api/v1/readings", json={}).headers["Location"]
    tests = client.post("/api/v1/readings", json={}, headers=smoke).headers["Location"]
    assert client.get(tests).status_code == 200
    listed = client.get("/api/v1/readings", headers=token).json()
    assert [reading["id"] for reading in listed] == [users.rsplit("/", 1)[1]]
    assert client.delete(users, headers=smoke).status_code == 404
    assert client.delete(tests).status_code == 404
    assert client.delete(tests, headers=smoke).status_code == 204
    assert client.get(tests).status_code == 404
    assert client.get(users).status_code == 200

"""With a Valkey, and with all that can be wrong with one."""

import logging
import socket
import time
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from valkey import PASSWORD, USER, Valkey

from tarot import cache as cache_module
from tarot.application import create
from tarot.settings import RedisAddress

CARD = "/api/v1/cards/the-fool"
READINGS = "/api/v1/readings"
# Seconds: far more than a working cache takes on a busy machine, so that only one that does
# not work runs into it. What the application itself allows is in a test of its own.
PATIENT = 2.0


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setattr(cache_module, "TIMEOUT", PATIENT)


@pytest.fixture
def valkey():
    server = Valkey()
    yield server
    server.stop()


@pytest.fixture
def running(settings):
    """Starts the application with a Valkey on this port; waits for its word of it."""
    clients = []

    def start(port, until="ok", password=PASSWORD, **changes):
        address = RedisAddress("127.0.0.1", port, 0, USER, password)
        client = TestClient(create(replace(settings, redis=address, **changes)))
        client.__enter__()
        clients.append(client)
        wait(client, until)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def wait(client, state):
    deadline = time.monotonic() + 30
    while not client.app.state.cache.state.startswith(state):
        assert time.monotonic() < deadline, client.app.state.cache.state
        time.sleep(0.01)


def counted(outcome):
    return REGISTRY.get_sample_value("cache_requests_total", {"outcome": outcome}) or 0


def told(caplog):
    lines = [record for record in caplog.records if record.name == "tarot.cache"]
    return [line.getMessage() for line in lines if line.levelno >= logging.WARNING]


def use(client, times):
    """Cards and readings, all of which work, and at most one of which waits for an answer."""
    waited = 0
    for _ in range(times):
        for ask in (
            lambda: client.get(CARD),
            lambda: client.get("/api/v1/cards?suit=cups"),
            lambda: client.post(READINGS, json={}),
            lambda: client.get("/health"),
        ):
            started = time.monotonic()
            assert ask().status_code in (200, 201)
            waited += time.monotonic() - started >= PATIENT / 2
            assert waited <= 1


def test_an_answer_comes_from_the_cache(running, valkey):
    client = running(valkey.port)
    hits, misses = counted("hit"), counted("miss")
    first, second = client.get(CARD), client.get(CARD)
    assert first.json() == second.json()
    assert first.headers["content-type"] == second.headers["content-type"] == "application/json"
    assert (counted("hit") - hits, counted("miss") - misses) == (1, 1)
    (key,) = valkey.kept
    assert b":r1:" in key  # another release has other answers
    assert valkey.seconds[key] == 3600
    valkey.kept[key] = b'{"from": "there"}'
    assert client.get(CARD).json() == {"from": "there"}
    assert client.get("/api/v1/cards/the-joker").status_code == 404
    assert len(valkey.kept) == 1


def test_the_same_answers_without(client, running, valkey):
    having = running(valkey.port)
    for path in (CARD, "/api/v1/cards", "/api/v1/cards?suit=cups"):
        assert having.get(path).content == having.get(path).content == client.get(path).content
    assert counted("hit") > 0


@pytest.mark.parametrize("behaviour", ["silent", "closes", "garbage"])
def test_it_stops_answering(running, valkey, caplog, behaviour):
    client = running(valkey.port)
    errors, skipped = counted("error"), counted("skipped")
    valkey.behaviour = behaviour
    use(client, 20)
    assert counted("error") - errors == 1
    assert counted("skipped") - skipped >= 70
    assert len(told(caplog)) == 1
    assert "no answer from the cache, going on without it" in told(caplog)[0]
    valkey.behaviour = "works"
    wait(client, "ok")
    hits = counted("hit")
    use(client, 2)
    assert counted("hit") > hits
    assert len(told(caplog)) == 1


def test_nobody_notices_the_wait(running, valkey, monkeypatch):
    monkeypatch.undo()
    assert cache_module.TIMEOUT <= 0.1
    client = running(valkey.port)
    valkey.behaviour = "silent"
    started = time.monotonic()
    assert client.get(CARD).status_code == 200
    assert time.monotonic() - started < 0.5  # a busy machine's share is most of it


def test_it_comes_and_goes(running, valkey, caplog, monkeypatch):
    monkeypatch.setattr(cache_module, "PERIOD", 0.05)
    client = running(valkey.port)
    for _ in range(5):
        valkey.behaviour = "closes"
        use(client, 1)
        valkey.behaviour = "works"
        wait(client, "ok")
    assert len(told(caplog)) == 1


def test_it_is_killed_and_comes_back(running, valkey, caplog):
    client = running(valkey.port)
    use(client, 2)
    valkey.stop()
    use(client, 20)
    assert len(told(caplog)) == 1
    again = Valkey(valkey.port)
    wait(client, "ok")
    use(client, 2)
    assert again.kept
    again.stop()


@pytest.mark.parametrize("behaviour", ["refuses", "silent", "closes", "wrong password"])
def test_it_does_not_answer_from_the_start(running, valkey, caplog, behaviour):
    if behaviour == "refuses":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    else:
        port, valkey.behaviour = valkey.port, behaviour
    client = running(port, "no answer", password="another" if "wrong" in behaviour else PASSWORD)
    use(client, 5)
    assert len(told(caplog)) == 1
    assert "another" not in told(caplog)[0]
    assert ("invalid username-password pair" in told(caplog)[0]) == (behaviour == "wrong password")


def test_the_password_changes(running, valkey, caplog):
    """As in a rotation that went wrong: open connections hold, the next ones are refused."""
    client = running(valkey.port)
    valkey.passwords = {"another"}
    use(client, 2)
    assert told(caplog) == []
    client.portal.call(client.app.state.cache._client.connection_pool.disconnect)
    use(client, 5)
    assert len(told(caplog)) == 1
    valkey.passwords.add(PASSWORD)
    wait(client, "ok")
    use(client, 1)


@pytest.mark.parametrize("behaviour", ["full", "forbids"])
def test_it_takes_nothing_more(running, valkey, caplog, behaviour):
    client = running(valkey.port, readings_per_minute=1)
    client.get(CARD)
    valkey.behaviour = behaviour
    hits, errors = counted("hit"), counted("error")
    use(client, 10)  # nobody counts, so no reading is refused
    assert counted("hit") - hits == 10  # what it has is still good
    assert counted("error") - errors == 20
    assert len(told(caplog)) == 2  # SET and INCR
    assert client.app.state.cache.state == "ok"
    valkey.behaviour = "works"
    client.get("/api/v1/cards?suit=cups")
    valkey.behaviour = behaviour
    client.get("/api/v1/cards?suit=wands")
    assert len(told(caplog)) == 3  # it is another time that it is full


def test_too_many_readings(running, valkey, monkeypatch):
    client = running(valkey.port, readings_per_minute=3)
    monkeypatch.setattr("tarot.limits.time.time", lambda: 6000.5)
    assert [client.post(READINGS, json={}).status_code for _ in range(5)] == [201] * 3 + [429] * 2
    refused = client.post(READINGS, json={})
    assert refused.headers["retry-after"] == "60"
    assert client.get(CARD).status_code == 200
    assert valkey.seconds[b"tarot:limit:testclient:100"] == 60
    monkeypatch.setattr("tarot.limits.time.time", lambda: 6060.0)
    assert client.post(READINGS, json={}).status_code == 201


def test_replicas_count_together(running, valkey):
    one, two = (running(valkey.port, readings_per_minute=2) for _ in range(2))
    codes = [client.post(READINGS, json={}).status_code for client in (one, two, one, two) * 2]
    # A minute may end meanwhile, which begins a new count once.
    assert codes.count(201) in (2, 3, 4)


def test_replicas_count_attempts_together(running, valkey, monkeypatch):
    monkeypatch.setattr("tarot.limits.time.time", lambda: 6000.5)
    one, two = (running(valkey.port) for _ in range(2))
    wrong = {"username": "admin", "password": "wrong"}
    codes = [c.post("/api/v1/auth/login", json=wrong).status_code for c in (one, two) * 17]
    assert codes == [401] * 30 + [429] * 4
    assert valkey.seconds[b"tarot:attempts:admin:100"] == 60


def test_no_limit_unless_asked_for(running, valkey):
    client = running(valkey.port)
    assert {client.post(READINGS, json={}).status_code for _ in range(50)} == {201}
    assert b"incrby" not in valkey.commands


def test_a_limit_that_nobody_counts(settings):
    with TestClient(create(replace(settings, readings_per_minute=1))) as client:
        skipped = counted("skipped")
        assert {client.post(READINGS, json={}).status_code for _ in range(5)} == {201}
        assert counted("skipped") == skipped


def test_it_is_asked_by_name(running, valkey, monkeypatch):
    """A name that is not known costs no more than an address that does not answer."""
    monkeypatch.setattr(cache_module, "PERIOD", 0.05)
    client = running(valkey.port)
    address = RedisAddress("no-such-host.invalid", 6379, 0, None, None)
    other = TestClient(create(replace(client.app.state.settings, redis=address)))
    with other:
        wait(other, "no answer")
        use(other, 3)

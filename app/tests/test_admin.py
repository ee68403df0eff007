import time

import jwt
import pytest
from conftest import JWT, PASSWORD

LOGIN = "/api/v1/auth/login"
LIST = "/api/v1/readings"


def test_login_by_form(client):
    answer = client.post(LOGIN, data={"username": "admin", "password": PASSWORD})
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert client.get(LIST, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "admin", "password": "wrong"}, 401),
        ({"username": "root", "password": PASSWORD}, 401),
        ({"username": "admin"}, 422),
        ({"username": "admin", "password": ["x"]}, 422),
        ([], 422),
        ({"username": "admin", "password": "x" * 5000}, 422),
    ],
)
def test_login_refused(client, body, status):
    answer = client.post(LOGIN, json=body)
    assert answer.status_code == status
    assert PASSWORD not in answer.text


def test_half_a_character(client):
    answer = client.post(
        LOGIN,
        content='{"username": "\\ud800", "password": "\\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 401


def test_guesses_run_out(client, monkeypatch):
    """For the account, by either door and with the right password too, until the minute ends."""
    monkeypatch.setattr("tarot.limits.time.time", lambda: 6000.5)
    right = {"username": "admin", "password": PASSWORD}
    wrong = right | {"password": "wrong"}
    others = [client.post(LOGIN, json=right | {"username": str(n)}).status_code for n in range(40)]
    assert others == [401] * 30 + [429] * 10
    assert [client.post(LOGIN, json=wrong).status_code for _ in range(20)] == [401] * 20
    doors = [client.get("/admin", auth=("admin", "wrong")).status_code for _ in range(15)]
    assert doors == [401] * 10 + [429] * 5
    refused = client.post(LOGIN, json=right)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["cache-control"] == "no-store"
    assert client.get("/admin", auth=("admin", PASSWORD)).status_code == 429
    monkeypatch.setattr("tarot.limits.time.time", lambda: 6060.0)
    assert client.post(LOGIN, json=right).status_code == 200


def claims(**changes):
    now = int(time.time())
    return {"iss": "tarot", "sub": "admin", "iat": now, "exp": now + 60} | changes


@pytest.mark.parametrize(
    "token",
    [
        jwt.encode(claims(exp=int(time.time()) - 1), JWT, "HS256"),
        jwt.encode(claims(sub="eve"), JWT, "HS256"),
        jwt.encode(claims(iss="other"), JWT, "HS256"),
        jwt.encode(claims(), "another secret that is long enough", "HS256"),
        jwt.encode(claims(), None, "none"),
        "nonsense",
    ],
)
def test_bad_token(client, token):
    answer = client.get(LIST, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.databases
def test_admin_page(client, kind):
    client.post(LIST, json={"question": "<script>alert(1)</script>"})
    refused = client.get("/admin")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert client.get("/admin", auth=("admin", "wrong")).status_code == 401
    page = client.get("/admin", auth=("admin", PASSWORD))
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script" not in page.text
    known = {"sqlite": "wal, synchronous full", "postgresql": "PostgreSQL"}
    for fact in ("here", "r1", known[kind]):
        assert fact in page.text
    assert page.headers["cache-control"] == "no-store"

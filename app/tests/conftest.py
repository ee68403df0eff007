"""Fixtures: settings for a database of its own, migrated, and a client of the application."""

from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tarot import settings as environment
from tarot.application import create
from tarot.migrate import migrate

JWT = "a-secret-for-tests-of-32-bytes-or-more"
PASSWORD = "correct horse"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The least environment that the application starts with."""
    (tmp_path / "jwt").write_text(JWT)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return {
        "DATABASE_URL": f"sqlite:///{tmp_path}/test.db",
        "JWT_SECRET_KEY_FILE": str(tmp_path / "jwt"),
        "ADMIN_PASSWORD_FILE": str(tmp_path / "password"),
        "RELEASE": "r1",
    }


@pytest.fixture
def settings(environ):
    """Settings whose database is migrated."""
    loaded = replace(environment.load(environ), instance="here")
    migrate(loaded)
    return loaded


@pytest.fixture
def client(settings):
    """A client of a running application."""
    with TestClient(create(settings)) as running:
        yield running


@pytest.fixture
def token(client) -> dict[str, str]:
    """The administrator's header."""
    body = {"username": "admin", "password": PASSWORD}
    answer = client.post("/api/v1/auth/login", json=body).json()
    return {"Authorization": f"Bearer {answer['access_token']}"}

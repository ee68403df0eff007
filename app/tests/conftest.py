"""Fixtures: settings for a database of its own, migrated, and a client of the application.

A test that is marked `databases` runs on each kind that there is: SQLite, and PostgreSQL where
TEST_POSTGRES_URL names a server that may be filled (scripts/test-app.sh starts one).
"""

import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tarot import settings as environment
from tarot.application import create
from tarot.migrate import migrate

JWT = "a-secret-for-tests-of-32-bytes-or-more"
PASSWORD = "correct horse"
POSTGRES = os.environ.get("TEST_POSTGRES_URL", "")

# What nothing but a server can be asked is left out where there is none.
collect_ignore = [] if POSTGRES else ["test_postgres.py"]

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc):
    if metafunc.definition.get_closest_marker("databases"):
        kinds = ["sqlite", "postgresql"] if POSTGRES else ["sqlite"]
        metafunc.parametrize("kind", kinds, indirect=True)


@pytest.fixture
def kind(request) -> str:
    """Which kind of database the test has."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def new_database(tmp_path):
    """Makes the URL of another empty database of this kind."""
    made = []

    def make(kind: str) -> str:
        number = next(_numbers)
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/test-{number}.db"
        made.append(f"test_{number}")
        ask(POSTGRES, f"CREATE DATABASE {made[-1]}")
        return f"{POSTGRES.rpartition('/')[0]}/{made[-1]}"

    yield make
    for name in made:
        ask(POSTGRES, f"DROP DATABASE {name} WITH (FORCE)")


def ask(url: str, statement: str) -> list[tuple]:
    """One statement, past the application."""
    import psycopg  # the tests run without it, too

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def environ(tmp_path: Path, kind, new_database) -> dict[str, str]:
    """The least environment that the application starts with."""
    (tmp_path / "jwt").write_text(JWT)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return {
        "DATABASE_URL": new_database(kind),
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

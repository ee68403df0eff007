"""DATABASE_URL, whichever kind of database it names."""

import pytest

from tarot.addresses import PostgresAddress, SQLiteAddress
from tarot.settings import SettingsError, load, load_addresses


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgres(environ, scheme):
    value = f"{scheme}://app_1:a%2Fb%40c@pgbouncer:6432/app?sslmode=verify-full"
    found = load(environ | {"DATABASE_URL": value}).database
    assert isinstance(found, PostgresAddress)
    assert found.arguments() == {
        "host": "pgbouncer",
        "port": 6432,
        "user": "app_1",
        "password": "a/b@c",
        "dbname": "app",
        "sslmode": "verify-full",
    }
    assert str(found) == "pgbouncer/app"
    assert "a/b@c" not in repr(found) + repr(load(environ | {"DATABASE_URL": value}))


def test_a_socket(environ):
    value = "postgresql:///app?host=/run/postgresql&user=me"
    found = load(environ | {"DATABASE_URL": value}).database.arguments()
    assert found == {"dbname": "app", "host": "/run/postgresql", "user": "me"}


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:hunter2@host",
        "postgresql://u:hunter2@host/",
        "postgresql:///hunter2",
        "postgresql://u:hunter2@host:port/db",
        "postgresql+asyncpg://u:hunter2@host/db",
        "mysql://u:hunter2@host/db",
        "hunter2",
    ],
)
def test_no_address(environ, value):
    with pytest.raises(SettingsError) as caught:
        load(environ | {"DATABASE_URL": value})
    (fault,) = caught.value.faults
    assert "allowed is sqlite:///<path of a file>, or postgresql://USER:PASSWORD@HOST" in fault
    assert "hunter2" not in fault


def test_from_a_file(environ, tmp_path):
    (tmp_path / "url").write_text("postgresql://u:p@host/db\n")
    named = {"DATABASE_URL": "", "DATABASE_URL_FILE": str(tmp_path / "url")}
    assert str(load(environ | named).database) == "host/db"
    # The platform gives both.
    assert isinstance(load(named | environ).database, SQLiteAddress)


def test_two_databases(tmp_path):
    (tmp_path / "url").write_text("postgresql://u:p@host/db")
    variables = {"SOURCE_DATABASE_URL": f"sqlite:///{tmp_path}/a.db"}
    with pytest.raises(SettingsError) as caught:
        load_addresses(variables)
    assert caught.value.faults[0].startswith("DATABASE_URL is not set: allowed is sqlite:///")
    source, target = load_addresses(variables | {"DATABASE_URL_FILE": str(tmp_path / "url")})
    assert (str(source), str(target)) == (f"{tmp_path}/a.db", "host/db")

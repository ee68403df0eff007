"""From one database to another: everything, or nothing and a word about each fault."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from conftest import POSTGRES, ask
from sqlalchemy.dialects.postgresql import JSONB

from tarot import addresses, copy_database, copying, readings
from tarot import settings as environment
from tarot.copying import CopyError
from tarot.database import Database
from tarot.migrate import migrate
from tarot.rows import Digest, Json

APP = Path(__file__).resolve().parent.parent
KINDS = ["sqlite", "postgresql"] if POSTGRES else ["sqlite"]
SHANGHAI = timezone(timedelta(hours=8))
PAIRS = [("sqlite", other) for other in KINDS] + [(other, "sqlite") for other in KINDS[1:]]

# --- the sample's own, by its command ----------------------------------------------------------


@pytest.fixture
def run(monkeypatch, capsys):
    """The command, in this process."""

    def run(source: str, target: str, *options: str) -> tuple[int, list[dict], str]:
        monkeypatch.setenv("SOURCE_DATABASE_URL", source)
        monkeypatch.setenv("DATABASE_URL", target)
        code = copy_database.run(list(options))
        told = capsys.readouterr()
        return code, [json.loads(line) for line in told.out.splitlines()], told.err

    return run


@pytest.fixture
def filled(new_database):
    """A migrated database of a kind, with what users may have written."""

    def make(kind: str, count: int = 0) -> str:
        url = new_database(kind)
        settings = environment.load({"DATABASE_URL": url}, secrets=False)
        migrate(settings)
        database = Database(settings)
        for number in range(count):
            question = ("Will it rain?", "塔罗 🂡", "", "a\nb\tc\\.d\\N", "'; --")[number % 5]
            key = f"key-{number}" if number % 3 else None
            readings.create(database, question, "three", key, smoke=number % 4 == 0)
        database.dispose()
        return url

    return make


def rows(url: str) -> list:
    database = Database(environment.load({"DATABASE_URL": url}, secrets=False))
    with database.read() as session:
        found = [
            {name: value for name, value in vars(reading).items() if name[0] != "_"}
            for reading in session.scalars(sa.select(readings.Reading).order_by("id"))
        ]
    database.dispose()
    return found


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_everything_is_there(run, filled, source, target):
    old, new = filled(source, 40), filled(target)
    code, (line,), errors = run(old, new)
    assert (code, errors) == (0, "")
    assert (line["table"], line["source"]["rows"]) == ("readings", 40)
    assert line["source"] == line["target"]
    assert rows(new) == rows(old)
    assert run(old, new, "--verify") == (0, [line], "")
    code, lines, errors = run(old, new)
    assert (code, lines) == (1, [])
    assert errors == "nothing was copied: the target's table readings has rows already\n"


@pytest.mark.parametrize("target", KINDS)
def test_a_difference_is_seen(run, filled, target):
    old, new = filled("sqlite", 5), filled(target)
    run(old, new)
    database = Database(environment.load({"DATABASE_URL": new}, secrets=False))
    with database.write() as session:
        session.execute(sa.text("UPDATE readings SET spread = 'cross' WHERE smoke"))
    database.dispose()
    code, (line,), _ = run(old, new, "--verify")
    assert code == 1
    assert line["source"]["rows"] == line["target"]["rows"] == 5
    assert line["source"]["hash"] != line["target"]["hash"]


@pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL: TEST_POSTGRES_URL")
def test_what_does_not_fit(run, filled):
    old, new = filled("sqlite", 3), filled("postgresql")
    with closing(sqlite3.connect(old.removeprefix("sqlite:///"))) as connection:
        columns = "id, created_at, question, spread, draws, fingerprint"
        good = {"created_at": "'2026-01-01 00:00:00.000000'", "question": "'?'", "draws": "'[]'"}
        good |= {"spread": "'single'", "fingerprint": "'f'"}
        for key, changes in {
            "nul": {"question": "'a' || char(0) || 'b'"},
            "long": {"spread": f"'{'x' * 17}'"},
            "bytes": {"question": "x'00ff'"},
            "latin": {"question": "CAST(x'e9' AS TEXT)"},
            "json": {"draws": "'['"},
            "date": {"created_at": "'yesterday'"},
        }.items():
            values = ", ".join((good | changes)[name] for name in columns.split(", ")[1:])
            connection.execute(f"INSERT INTO readings ({columns}) VALUES ('{key}', {values})")
        connection.execute("CREATE TABLE forgotten (id INTEGER)")
        connection.execute("CREATE TABLE _litestream_seq (id INTEGER)")
        connection.execute("INSERT INTO forgotten VALUES (1)")
        connection.execute("INSERT INTO _litestream_seq VALUES (1)")
        connection.execute("ALTER TABLE readings ADD COLUMN old TEXT")
        connection.execute("UPDATE readings SET old = 'x' WHERE id = 'nul'")
        connection.commit()
    for options in ([], ["--check"]):
        code, lines, errors = run(old, new, *options)
        faults = [line["fault"] for line in lines if "fault" in line]
        found = {(one["table"], (one["key"] or {}).get("id"), one["column"]) for one in faults}
        assert (code, errors) == (3, "")
        assert found == {
            ("readings", "nul", "question"),
            ("readings", "long", "spread"),
            ("readings", "bytes", "question"),
            ("readings", "latin", "question"),
            ("readings", "json", "draws"),
            ("readings", "date", "created_at"),
            ("forgotten", None, None),
            ("readings", None, "old"),
        }
        assert "has 17 characters, and the column 16" in [one["reason"] for one in faults]
    assert ask(new, "SELECT count(*) FROM readings") == [(0,)]


def test_a_source_that_is_not_there_is_no_empty_one(run, filled, tmp_path):
    code, lines, errors = run(f"sqlite:///{tmp_path}/none.db", filled(KINDS[-1]))
    assert (code, lines) == (1, [])
    assert "unable to open database file" in errors


def test_words(filled):
    url = filled("sqlite")

    def words(target: str, *options: str) -> tuple[int, str]:
        variables = {"SOURCE_DATABASE_URL": url, "DATABASE_URL": target, "PYTHONPATH": str(APP)}
        result = subprocess.run(
            [sys.executable, "-m", "tarot", "copy-database", *options],
            env=variables | {"PATH": os.environ["PATH"]},
            cwd=APP,
            capture_output=True,
            text=True,
        )
        assert result.stdout == ""
        return result.returncode, result.stderr

    assert words(url) == (2, "SOURCE_DATABASE_URL and DATABASE_URL are the same database\n")
    code, told = words("")
    assert code == 2
    assert told.startswith("settings: DATABASE_URL is not set: allowed is sqlite:///")


# --- of any application -------------------------------------------------------------------------

METADATA = sa.MetaData()
PEOPLE = sa.Table(
    "people",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("boss", sa.ForeignKey("people.id")),
    sa.Column("rank", sa.Enum("high", "low", name="rank")),
    sa.Column("since", sa.Date),
    sa.Column("until", sa.DateTime(timezone=True)),
    sa.Column("at", sa.Time),
    sa.Column("lasts", sa.Interval),
    sa.Column("active", sa.Boolean),
    sa.Column("wage", sa.Numeric(10, 2)),
    sa.Column("weight", sa.Float),
    sa.Column("photo", sa.LargeBinary),
    sa.Column("uuid", sa.Uuid),
    sa.Column("about", sa.JSON().with_variant(JSONB(), "postgresql")),
    sa.Column("twice", sa.Integer, sa.Computed("id * 2")),
)
NOTES = sa.Table(
    "Order",  # a word of SQL's
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("of", sa.ForeignKey("people.id"), nullable=False),
)
PERSON = {
    "rank": "high",
    "since": date(2024, 2, 29),
    "until": datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
    "at": time(23, 59, 59),
    "lasts": timedelta(days=1, seconds=2, microseconds=3),
    "active": True,
    "wage": Decimal("1234.50"),
    "weight": 0.1,
    "photo": b"\x00\xff\\",
    "uuid": UUID(int=7),
    "about": {"b": [1, 1.50, None], "a": "塔"},
}


@pytest.fixture
def engine(new_database):
    engines = []

    def make(kind: str) -> sa.Engine:
        url = new_database(kind)
        if kind == "sqlite":
            Path(url.removeprefix("sqlite:///")).touch()
        engines.append(copy_database._engine(addresses.parse(url)))
        METADATA.create_all(engines[-1])
        return engines[-1]

    yield make
    for one in engines:
        one.dispose()


def fill(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(PEOPLE), PERSON | {"id": 7, "boss": None, "about": None})
        # Before the one that it refers to, as SQLite stores them by their keys.
        connection.execute(sa.insert(PEOPLE), PERSON | {"id": 3, "boss": 7})
        connection.execute(sa.insert(PEOPLE), {"id": 9, "about": sa.null()})
        connection.execute(sa.insert(NOTES), {"id": 2**40, "of": 3})


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_all_kinds_of_columns(engine, source, target):
    old, new = engine(source), engine(target)
    fill(old)
    lines = list(copying.copy(METADATA, old, new))
    assert [line["table"] for line in lines] == ["people", "Order"]
    assert lines == list(copying.verify(METADATA, old, new))
    with old.connect() as left, new.connect() as right:
        for table in METADATA.sorted_tables:
            query = sa.select(table).order_by(table.c.id)
            found = [[naive(value) for value in row] for row in right.execute(query)]
            assert found == [[naive(value) for value in row] for row in left.execute(query)]
        empty = sa.select(PEOPLE.c.id).where(PEOPLE.c.about.cast(sa.Text).is_(None))
        assert right.execute(empty).scalars().all() == [9]  # JSON's null is another one


def naive(value):
    aware = isinstance(value, datetime) and value.tzinfo
    return value.astimezone(UTC).replace(tzinfo=None) if aware else value


@pytest.mark.parametrize("target", KINDS)
def test_the_next_number_is_above_all(engine, target):
    old, new = engine("sqlite"), engine(target)
    fill(old)
    list(copying.copy(METADATA, old, new))
    with new.begin() as connection:
        made = connection.execute(sa.insert(PEOPLE), {"active": True}).inserted_primary_key
        assert made[0] == 10


@pytest.mark.parametrize("target", KINDS)
def test_a_table_that_migrations_fill(engine, target):
    old, new = engine("sqlite"), engine(target)
    fill(old)
    with new.begin() as connection:
        connection.execute(sa.insert(PEOPLE), {"id": 1, "active": False})
    with pytest.raises(CopyError, match="the target's table people has rows already"):
        list(copying.copy(METADATA, old, new))
    people, _ = copying.copy(METADATA, old, new, seeded=[PEOPLE])
    assert people["target"]["rows"] == 3


@pytest.mark.parametrize("target", KINDS)
def test_all_or_nothing(engine, target, monkeypatch):
    old, new = engine("sqlite"), engine(target)
    fill(old)

    def lost(connection, table, rows):
        write(connection, table, (row for row in rows if row["id"] != 2**40))

    write = copying._write
    monkeypatch.setattr(copying, "_write", lost)
    with pytest.raises(CopyError, match="the target's table Order has is not what was written"):
        list(copying.copy(METADATA, old, new))
    with new.connect() as connection:
        assert connection.execute(sa.select(PEOPLE)).all() == []


@pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL: TEST_POSTGRES_URL")
def test_what_the_server_refuses(engine):
    old, new = engine("sqlite"), engine("postgresql")
    fill(old)
    with new.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE people ADD CHECK (id < 9)")
    with pytest.raises(CopyError, match="violates check constraint"):
        list(copying.copy(METADATA, old, new))
    with new.connect() as connection:
        assert connection.execute(sa.select(PEOPLE)).all() == []


@pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL: TEST_POSTGRES_URL")
def test_orphans_and_numbers_that_are_too_large(engine):
    old, new = engine("sqlite"), engine("postgresql")
    with old.begin() as connection:
        connection.execute(sa.insert(PEOPLE), {"id": 2**31})
        connection.execute(sa.insert(NOTES), {"id": 1, "of": 5})
    faults = [line["fault"] for line in copying.copy(METADATA, old, new)]
    assert [(one["table"], one["reason"]) for one in faults] == [
        ("Order", "refers to a row that people does not have"),
        ("people", "is beyond 2147483647, the column's largest number"),
    ]


def test_a_hash_is_of_the_rows_and_not_of_their_order():
    def digest(*found) -> Digest:
        made = Digest()
        for row in found:
            made.add(row)
        return made

    one, two = {"id": 1, "text": "a"}, {"id": 2, "text": "b"}
    assert digest(one, two) == digest(two, one)
    assert digest(one, one) != digest(two, two)
    assert digest({"id": 1, "text": "b"}, {"id": 2, "text": "a"}) != digest(one, two)
    for left, right, same in [
        (Decimal("1.50"), Decimal("1.5"), True),
        (Decimal("100"), 100, True),
        (1, True, False),
        ("1", 1, False),
        (None, "", False),
        (Json.of('{"a": 1, "b": [1e2, 1.50]}'), Json.of('{"b":[100,1.5],"a":1}'), True),
        (Json.of('{"a": 1}'), Json.of('{"a": "1"}'), False),
        (Json.of("[true]"), Json.of("[1]"), False),
        (Json.of("null"), None, False),
        (datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 1, 8), True),
        (datetime(2026, 1, 1, 16, tzinfo=SHANGHAI), datetime(2026, 1, 1, 8), True),
        (datetime(2026, 1, 1, 8), datetime(2026, 1, 1, 8, 0, 0, 1), False),
        (
            Decimal("12345678901234567890123456789012.1"),
            Decimal("12345678901234567890123456789012.2"),
            False,
        ),
    ]:
        assert (digest({"x": left}) == digest({"x": right})) is same, (left, right)

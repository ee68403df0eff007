"""Copies a database into one of another kind: every table of the models, in one transaction.

It knows SQLAlchemy and nothing of this application: another one takes it over as it is, with
tarot/rows.py, and calls `copy`, `verify` and `check` with its own metadata.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, MetaData, Table

from tarot.rows import BATCH, Digest, Fault, Json, Row, columns, is_json, misfits, read

# What others keep in a database: the migrations' own table, and that of a replicator.
NOT_OURS = ("alembic_version", "sqlite_", "_litestream_")
MOST_FAULTS = 100

Report = dict[str, Any]


class CopyError(Exception):
    """Nothing was copied; says why."""


def check(metadata: MetaData, source: Engine) -> Iterator[Report]:
    """Tell what another database would not take; nothing is written."""
    with _reading(source) as connection:
        yield from _lines(_strays(metadata, connection))
        for table in metadata.sorted_tables:
            faults: list[Fault] = []
            digest = Digest()
            for row in read(connection, table, faults):
                digest.add(row)
                faults.extend(misfits(table, row))
            yield from _lines(faults)
            yield {"table": table.name, "source": digest.line()}


def verify(metadata: MetaData, source: Engine, target: Engine) -> Iterator[Report]:
    """Count and hash both; nothing is written."""
    with _reading(source) as left, _reading(target) as right:
        for table in metadata.sorted_tables:
            faults: list[Fault] = []
            ours, theirs = (_digest(side, table, faults) for side in (left, right))
            yield from _lines(faults)
            yield {"table": table.name, "source": ours.line(), "target": theirs.line()}


def copy(
    metadata: MetaData, source: Engine, target: Engine, seeded: Collection[Table] = ()
) -> Iterator[Report]:
    """Copy everything, or nothing: also nothing where one value has a fault, which is told.

    The target has the schema and no rows, but in the tables that migrations fill (`seeded`),
    which are emptied first. What was written is read back and compared before it is committed.
    """
    try:
        with _reading(source) as left, target.begin() as right:
            _prepare(right)
            for table in reversed([one for one in metadata.sorted_tables if one in seeded]):
                right.execute(sa.delete(table))
            reports = _copy(metadata, left, right)
    except _FaultsError as error:
        yield from _lines(error.faults)
        return
    except target.dialect.loaded_dbapi.Error as error:
        raise CopyError(str(error).splitlines()[0]) from error
    yield from reports  # only now they are true


class _FaultsError(Exception):
    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


def _copy(metadata: MetaData, source: Connection, target: Connection) -> list[Report]:
    found, digests = list(_strays(metadata, source)), []
    for table in metadata.sorted_tables:
        if target.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise CopyError(f"the target's table {table.name} has rows already")
        digests.append(Digest())
        strict = target.dialect.name == "postgresql"
        rows = read(source, table, found)
        # After a fault nothing more is written, but all is looked at, so that all is told at once.
        _write(target, table, _looked_at(rows, table, digests[-1], found, strict=strict))
    if found:
        raise _FaultsError(found)
    reports = []
    for table, digest in zip(metadata.sorted_tables, digests, strict=True):
        _set_sequences(target, table)
        written = _digest(target, table, found)
        if found or written != digest:
            raise CopyError(f"what the target's table {table.name} has is not what was written")
        reports.append({"table": table.name, "source": digest.line(), "target": written.line()})
    return reports


def _reading(engine: Engine) -> Connection:
    """A connection that sees one state of the database and writes nothing."""
    connection = engine.connect()
    if connection.dialect.name == "sqlite":
        # A text that is no UTF-8 is a fault of one value, and not of the whole table.
        driver = connection.connection.driver_connection
        driver.text_factory = lambda data: data.decode(errors="surrogateescape")
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")
    else:
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    return connection


def _prepare(connection: Connection) -> None:
    """Begin the one transaction, in which rows may refer to later ones."""
    if connection.dialect.name == "sqlite":
        if not connection.connection.driver_connection.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    else:
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
        connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")


def _lines(faults: Iterable[Fault]) -> Iterator[Report]:
    faults = list(faults)
    for fault in faults[:MOST_FAULTS]:
        yield fault.line()
    if (more := len(faults) - MOST_FAULTS) > 0:
        yield Fault(faults[-1].table, None, None, f"and {more} more").line()


def _strays(metadata: MetaData, connection: Connection) -> Iterator[Fault]:
    """What the source holds and the models do not know would be lost without a word."""
    inspector = sa.inspect(connection)
    for name in inspector.get_table_names():
        if name.startswith(NOT_OURS):
            continue
        known = metadata.tables.get(name)
        there = {column["name"] for column in inspector.get_columns(name)}
        stray = sa.table(name, *(sa.column(column) for column in there))
        if known is None:
            if connection.execute(sa.select(sa.literal(1)).select_from(stray).limit(1)).first():
                yield Fault(name, None, None, "has rows, and is no table of the models")
            continue
        for column in sorted(there - {column.name for column in known.columns}):
            query = sa.select(sa.literal(1)).where(stray.c[column].is_not(None)).limit(1)
            if connection.execute(query).first():
                yield Fault(name, None, column, "has values, and is no column of the models")
    if connection.dialect.name == "sqlite":
        for name, number, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            reason = f"refers to a row that {parent} does not have"
            yield Fault(name, {"rowid": number}, None, reason)


def _looked_at(
    rows: Iterable[Row], table: Table, digest: Digest, faults: list[Fault], *, strict: bool
) -> Iterator[Row]:
    for row in rows:
        digest.add(row)
        if strict:
            faults.extend(misfits(table, row))
        if not faults:
            yield row


def _digest(connection: Connection, table: Table, faults: list[Fault]) -> Digest:
    digest = Digest()
    for row in read(connection, table, faults):
        digest.add(row)
    return digest


def _write(connection: Connection, table: Table, rows: Iterator[Row]) -> None:
    dialect = connection.dialect
    mine = columns(table)
    writers = [
        # JSON is written as it was read; its type would make JSON's null of none.
        None if is_json(column.type) else column.type.dialect_impl(dialect).bind_processor(dialect)
        for column in mine
    ]
    names = [column.name for column in mine]

    def values(row: Row) -> list[Any]:
        pairs = zip(writers, (row[name] for name in names), strict=True)
        return [_written(writer, value) for writer, value in pairs]

    preparer = dialect.identifier_preparer
    into = f"{preparer.format_table(table)} ({', '.join(map(preparer.quote, names))})"
    if dialect.name == "postgresql":
        # One statement for the table, so that rows may refer to later ones of it.
        cursor = connection.connection.driver_connection.cursor()
        with cursor, cursor.copy(f"COPY {into} FROM STDIN") as out:
            for row in rows:
                out.write_row(values(row))
        return
    places = ", ".join("?" * len(names))
    while batch := list(islice(rows, BATCH)):
        parameters = [tuple(values(row)) for row in batch]
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({places})", parameters)  # noqa: S608


def _written(writer: Any, value: Any) -> Any:
    if isinstance(value, Json):
        return value.text
    return writer(value) if writer else value


def _set_sequences(connection: Connection, table: Table) -> None:
    """The next number that the database gives is above all that were copied."""
    if connection.dialect.name != "postgresql":
        return  # SQLite's own is
    name = connection.dialect.identifier_preparer.format_table(table)
    for column in columns(table):
        if not isinstance(column.type, sa.Integer):
            continue
        sequence = sa.func.pg_get_serial_sequence(name, column.name)
        if connection.execute(sa.select(sequence)).scalar_one() is None:
            continue
        most = sa.select(sa.func.max(column)).scalar_subquery()
        connection.execute(sa.select(sa.func.setval(sequence, most)).where(most.is_not(None)))

"""Rows as every database has them: read one by one, looked at, and hashed.

It knows SQLAlchemy and nothing of this application: another one takes it over as it is, with
tarot/copying.py.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.types import NullType, TypeEngine

BATCH = 5000
_POSTGRES = PGDialect_psycopg()
# The largest whole numbers of its types.
_WHOLE = ((sa.SmallInteger, 2**15 - 1), (sa.BigInteger, 2**63 - 1), (sa.Integer, 2**31 - 1))

Row = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """A value that the target would not take, or that the source itself can't read."""

    table: str
    key: Mapping[str, Any] | None
    column: str | None
    reason: str

    def line(self) -> dict[str, Any]:
        """For the report."""
        return {
            "fault": {
                "table": self.table,
                "key": self.key,
                "column": self.column,
                "reason": self.reason,
            }
        }


@dataclass
class Digest:
    """How many rows, and a hash of them that depends on neither their order nor the database:
    the sum of the rows' SHA-256, modulo 2^256."""

    rows: int = 0
    total: int = field(default=0, repr=False)

    def add(self, row: Row) -> None:
        """Count a row."""
        text = json.dumps({name: canonical(value) for name, value in row.items()}, sort_keys=True)
        number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
        self.rows, self.total = self.rows + 1, (self.total + number) % 2**256

    def line(self) -> dict[str, Any]:
        """For the report."""
        return {"rows": self.rows, "hash": f"{self.total:064x}"}


@dataclass(frozen=True)
class Json:
    """What a JSON column holds, as it is written there: two writings of the same are equal, and
    JSON's null is not SQL's."""

    text: str


def canonical(value: Any) -> Any:
    """The value as JSON, the same from whichever database it comes."""
    match value:
        case None | bool() | str():
            return value
        case Json():
            return ["json", _sorted(json.loads(value.text, parse_float=Decimal, parse_int=Decimal))]
        case int() | Decimal():
            return _number(value)
        case float():
            return repr(value)
        case datetime():
            if value.tzinfo:
                value = value.astimezone(UTC).replace(tzinfo=None)
            return value.isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta():
            return f"{value / timedelta(microseconds=1):.0f} us"
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case Enum():
            return value.name
        case list() | tuple():
            return [canonical(item) for item in value]
    return str(value)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(item) for name, item in sorted(value.items())}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return _number(value) if isinstance(value, Decimal) else value


def _number(value: int | Decimal) -> str:
    """Without the zeros at its end, which a database may have added."""
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def columns(table: Table) -> list[sa.Column]:
    """Those that hold what was written, and not what the database computes."""
    return [column for column in table.columns if column.computed is None]


def is_json(kind: TypeEngine) -> bool:
    """Whether a column of this type holds JSON."""
    return isinstance(getattr(kind, "impl_instance", kind), sa.JSON)


def read(connection: Connection, table: Table, faults: list[Fault]) -> Iterator[Row]:
    """The table's rows, as the models mean them; what can't be read is a fault, and left out.

    The values are taken as the driver has them, since one that SQLAlchemy stumbles over would
    end the whole result.
    """
    postgres = connection.dialect.name == "postgresql"
    mine = columns(table)
    raw = [
        sa.cast(column, sa.Text)
        if postgres and is_json(column.type)
        else sa.type_coerce(column, NullType())
        for column in mine
    ]
    query = sa.select(*(item.label(f"c{number}") for number, item in enumerate(raw)))
    result = connection.execute(query.select_from(table), execution_options={"yield_per": BATCH})
    codes = [description[1] for description in result.cursor.description]
    readers = [
        None if is_json(column.type) else _reader(column.type, connection.dialect, code)
        for column, code in zip(mine, codes, strict=True)
    ]
    for values in result:
        row = {}
        for column, reader, value in zip(mine, readers, values, strict=True):
            try:
                row[column.name] = _read_one(column.type, reader, value)
            except (ValueError, TypeError, ArithmeticError) as error:
                there = dict(zip((one.name for one in mine), values, strict=True))
                reason = f"can't be read: {str(error).splitlines()[0]}"
                faults.append(Fault(table.name, key(table, there), column.name, reason))
                break
        else:
            yield row


def _reader(kind: TypeEngine, dialect: Dialect, code: Any) -> Any:
    return kind.dialect_impl(dialect).result_processor(dialect, code)


def _read_one(kind: TypeEngine, reader: Any, value: Any) -> Any:
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("not UTF-8") from None
    if value is not None and is_json(kind):
        json.loads(value)
        return Json(value)
    return reader(value) if reader else value


def key(table: Table, row: Row) -> Row:
    """What names a row."""
    return {column.name: canonical(row[column.name]) for column in table.primary_key}


def misfits(table: Table, row: Row) -> Iterator[Fault]:
    """What PostgreSQL would not take of a row that SQLite has: it looks at types and lengths."""
    for column in columns(table):
        if (reason := _misfit(column, row[column.name])) is not None:
            yield Fault(table.name, key(table, row), column.name, reason)


def _misfit(column: sa.Column, value: Any) -> str | None:
    kind = getattr(column.type, "impl_instance", column.type)
    if value is None:
        return None if column.nullable else "is empty (NULL), which the models do not allow"
    if isinstance(value, Json):
        binary = isinstance(kind.dialect_impl(_POSTGRES), JSONB)
        held = binary and "\\u0000" in value.text
        return "has a \\u0000, which jsonb can't hold" if held else None
    if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum):
        if not isinstance(value, str):
            return f"is no text, but {type(value).__name__}"
        if "\x00" in value:
            return "has a NUL, which PostgreSQL's texts can't hold"
        if kind.length is not None and len(value) > kind.length:
            return f"has {len(value)} characters, and the column {kind.length}"
    if isinstance(kind, sa.Integer):
        if not isinstance(value, int):
            return f"is no whole number, but {type(value).__name__}"
        most = next(most for integer, most in _WHOLE if isinstance(kind, integer))
        if not -most - 1 <= value <= most:
            return f"is beyond {most}, the column's largest number"
    return None

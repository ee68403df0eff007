"""Rows as every database has them: read one by one, looked at, and hashed.

It knows SQLAlchemy and nothing of this application: another one takes it over as it is, with
tarot/copying.py.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.types import NullType, TypeEngine

BATCH = 5000
_LARGEST = 2**256
_POSTGRES = PGDialect_psycopg()
# The largest whole numbers of its types.
_WHOLE = ((sa.SmallInteger, 2**15 - 1), (sa.BigInteger, 2**63 - 1), (sa.Integer, 2**31 - 1))

Row = dict[str, Any]
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


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
        plain = _PLAIN  # most are: a call for each would take a third of the time
        text = _encode(
            {
                name: value if type(value) in plain else canonical(value)
                for name, value in row.items()
            }
        )
        number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
        self.rows, self.total = self.rows + 1, (self.total + number) % _LARGEST

    def line(self) -> dict[str, Any]:
        """For the report."""
        return {"rows": self.rows, "hash": f"{self.total:064x}"}


@dataclass(frozen=True)
class Json:
    """What a JSON column holds. JSON's null is not SQL's."""

    text: str
    value: Any  # the same, whichever way it is written

    @classmethod
    def of(cls, text: str) -> "Json":
        """Read it; raises ValueError."""
        return cls(text, _decode(text))


def _whole_or_not(text: str) -> int | float:
    number = float(text)  # jsonb makes 100 of 1e2
    return int(number) if number.is_integer() else number


_decode = json.JSONDecoder(parse_float=_whole_or_not).decode

_PLAIN = frozenset((str, int, bool, type(None)))


def canonical(value: Any) -> Any:
    """The value as JSON, the same from whichever database it comes."""
    if type(value) in _PLAIN:
        return value
    match value:
        case datetime():
            if value.tzinfo:
                value = value.astimezone(UTC).replace(tzinfo=None)
            return value.isoformat()
        case Json():
            return ["json", value.value]
        case Decimal():
            return _number(value)
        case float():
            return repr(value)
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


def _number(value: Decimal) -> int | str:
    """Without the zeros at its end, which a database may have added."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return int(text) if text.lstrip("-").isdecimal() else text


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
        (column.name, Json.of if is_json(column.type) else _reader(column.type, connection, code))
        for column, code in zip(mine, codes, strict=True)
    ]
    for values in result:
        row = {}
        for (name, reader), value in zip(readers, values, strict=True):
            try:
                if type(value) is str and not value.isascii():
                    value.encode()  # or it is no UTF-8
                row[name] = value if value is None or reader is None else reader(value)
            except (ValueError, TypeError, ArithmeticError) as error:
                there = dict(zip((column.name for column in mine), values, strict=True))
                text = isinstance(error, UnicodeEncodeError)
                reason = "is not UTF-8" if text else f"can't be read: {str(error).splitlines()[0]}"
                faults.append(Fault(table.name, key(table, there), name, reason))
                break
        else:
            yield row


def _reader(kind: TypeEngine, connection: Connection, code: Any) -> Callable[[Any], Any] | None:
    """What makes the driver's value the model's, where they are not the same."""
    return kind.dialect_impl(connection.dialect).result_processor(connection.dialect, code)


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

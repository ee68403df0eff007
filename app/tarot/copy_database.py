"""The command that copies this application's database: docs/application.md."""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterable

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tarot import copying, sqlite
from tarot import settings as environment
from tarot.addresses import Address, PostgresAddress
from tarot.copying import CopyError, Report
from tarot.models import Base

DIFFERENT, FAULTS = 1, 3


def run(arguments: list[str]) -> int:
    """Copy, or with an option only look; returns the process's exit code."""
    parser = argparse.ArgumentParser("python -m tarot copy-database")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="tell what the target would not take")
    what.add_argument("--verify", action="store_true", help="read both, and write nothing")
    options = parser.parse_args(arguments)
    gc.set_threshold(100_000)  # rows refer to nothing that refers back: looking for that takes time
    addresses = environment.load_addresses()
    if addresses[0] == addresses[1]:
        print("SOURCE_DATABASE_URL and DATABASE_URL are the same database", file=sys.stderr)
        return 2
    source, target = map(_engine, addresses)
    try:
        if options.check:
            return _tell(copying.check(Base.metadata, source))
        work: Callable = copying.verify if options.verify else copying.copy
        return _tell(work(Base.metadata, source, target))
    except (CopyError, SQLAlchemyError) as error:
        # The first line: below it are statements, with what users have written.
        print(f"nothing was copied: {str(error).splitlines()[0]}", file=sys.stderr)
        return DIFFERENT
    finally:
        for engine in (source, target):
            engine.dispose()


def _engine(address: Address) -> Engine:
    if isinstance(address, PostgresAddress):
        return create_engine(address.url, poolclass=NullPool)
    # One that is not there is not made: an empty source would be copied well.
    return create_engine(
        "sqlite://", creator=lambda: sqlite.open_file(address.path), poolclass=NullPool
    )


def _tell(reports: Iterable[Report]) -> int:
    """Print the reports, one a line; standard output has nothing else."""
    code = 0
    for report in reports:
        print(json.dumps(report), flush=True)
        if "fault" in report:
            code = FAULTS
        elif "target" in report and report["source"] != report["target"]:
            code = code or DIFFERENT
    return code

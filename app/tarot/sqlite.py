"""SQLite itself: how its files are opened, and what is known about its version."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from tarot.settings import Settings

# Versions with the bug by which a WAL that is reset under several writers can lose a
# commit: all before 3.51.3, except the fixed 3.50.7 and later 3.50, 3.44.6 and later 3.44.
_FIXED_BRANCHES = {(3, 50): 7, (3, 44): 6}


# What is left of a WAL that has grown under a long reader, once it is written back.
WAL_LIMIT = 16 * 1024 * 1024


def has_wal_reset_bug(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite has the WAL-reset bug."""
    patch = _FIXED_BRANCHES.get(version[:2])
    return version < (3, 51, 3) if patch is None else version[2] < patch


def connect(path: Path, settings: Settings, *, create: bool = False) -> sqlite3.Connection:
    """Open the file; only a migration may create it, or a lost volume would go unseen."""
    connection = open_file(path, create=create)
    # First, since the pragmas below may meet a lock.
    connection.execute(f"PRAGMA busy_timeout={settings.db_busy_timeout_ms}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={settings.db_synchronous}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
    return connection


def open_file(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the file as it is, without a word about how."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={'rwc' if create else 'rw'}",
        uri=True,
        isolation_level=None,  # the transactions are begun here, not by the driver
        check_same_thread=False,  # the pool hands a connection to one thread at a time
    )

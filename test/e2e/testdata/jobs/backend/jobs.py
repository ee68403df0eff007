"""Jobs in a SQLite file: what the web server puts there, the worker takes."""

import os
import pathlib
import sqlite3

VERSION = pathlib.Path(__file__).with_name("VERSION").read_text().strip()


def connect() -> sqlite3.Connection:
    """Open the file that DATABASE_URL names; each thread has a connection of its own."""
    db = sqlite3.connect("/app/" + os.environ["DATABASE_URL"].partition("///")[2], timeout=30, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, state TEXT DEFAULT 'waiting', runs INTEGER DEFAULT 0, by TEXT)")
    return db

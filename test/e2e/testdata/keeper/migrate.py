"""A migration that tells of itself, and is as slow as it is wanted."""

import os
import sqlite3
import time
from pathlib import Path

DATA = Path("data")


def tell(word: str) -> None:
    """Add a word to the list of what has happened."""
    with (DATA / "migrations").open("a") as file:
        file.write(word + "\n")


tell("begins")
db = sqlite3.connect(DATA / "prod.db", timeout=30)
db.execute("CREATE TABLE IF NOT EXISTS notes (text TEXT)")
db.commit()
while os.path.exists(DATA / "slow"):
    time.sleep(0.1)
tell("ends")

"""Who writes next: nobody asks ever more rarely, and a process asks with one thread."""

import sqlite3
import threading
import time

import pytest

from tarot import turns
from tarot.turns import NoTurnError, Turns


class Locked:
    """A connection to a database that others write to, for so many attempts."""

    def __init__(self, attempts: int) -> None:
        self.left = attempts
        self.busy_timeout = 5000

    def execute(self, statement: str) -> "Locked":
        if "=" in statement:
            self.busy_timeout = int(statement.split("=")[1])
        if statement.startswith("BEGIN"):
            assert self.busy_timeout == 0, "SQLite would wait in its own way"
            if self.left:
                self.left -= 1
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
        return self

    def fetchone(self) -> tuple[int]:
        return (self.busy_timeout,)


def test_the_pace_is_even(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    connection = Locked(200)
    Turns(60).begin(connection)
    assert slept == [turns.PACE] * 200
    assert connection.busy_timeout == 5000


def test_one_thread_of_a_process_asks(monkeypatch):
    first, second, queue = Locked(1), Locked(0), Turns(60)
    asking, free = threading.Event(), threading.Event()

    def pause(_: float) -> None:
        asking.set()
        assert free.wait(60)

    monkeypatch.setattr(time, "sleep", pause)
    order = []

    def write(name: str, connection: Locked) -> threading.Thread:
        thread = threading.Thread(target=lambda: (queue.begin(connection), order.append(name)))
        thread.start()
        return thread

    threads = [write("first", first)]
    assert asking.wait(60)
    threads.append(write("second", second))
    with pytest.raises(NoTurnError):  # behind both, for no time at all
        Turns.begin(_impatient(queue), Locked(0))
    assert order == []
    free.set()
    for thread in threads:
        thread.join(60)
    assert order == ["first", "second"]


def _impatient(queue: Turns) -> Turns:
    impatient = Turns(0)
    impatient._queue = queue._queue
    return impatient


def test_time_is_up():
    connection = Locked(10**9)
    with pytest.raises(NoTurnError):
        Turns(0.02).begin(connection)
    assert connection.busy_timeout == 5000


def test_another_error_is_not_waited_for(tmp_path):
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    connection.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        Turns(60).begin(connection)

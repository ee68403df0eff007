"""Worker processes: forked from a process that has imported what they need, and stopped by
SIGTERM within a time. What tarot.supervisor and tarot.reloader have in common."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from socket import socket

from tarot import metrics_folder

# How long a worker may take beyond the graceful timeout before it is killed.
KILL_AFTER = 3.0

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger(__name__)

Work = Callable[[list[socket]], int]


class StopSignal:
    """Remembers SIGTERM and SIGINT, and wakes who waits."""

    def __init__(self) -> None:
        self.received = False
        # A pipe, since a lock that the interrupted code holds would block the handler.
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for number in _SIGNALS:
            signal.signal(number, self._handle)

    def _handle(self, *_: object) -> None:
        self.received = True
        os.write(self._write, b"\0")

    def wait(self, workers: Iterable[BaseProcess], timeout: float | None = None) -> None:
        """Wait for a signal, the end of a worker, or the timeout."""
        connection.wait([self._read, *(worker.sentinel for worker in workers)], timeout)


def start(work: Work, sock: socket) -> BaseProcess:
    """Fork a worker; its exit code is what `work` returns."""
    worker = get_context("fork").Process(target=_run, args=(work, sock))
    # Until the worker has its own handlers a signal waits, instead of running ours in it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    worker.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    log.info("worker started", extra={"worker": worker.pid})
    return worker


def _run(work: Work, sock: socket) -> None:
    for number in _SIGNALS:
        signal.signal(number, lambda *_: os._exit(0))  # until uvicorn takes them
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    sys.exit(work([sock]))


def stop(workers: list[BaseProcess], graceful_timeout: float) -> None:
    """Let the workers finish what they have begun; returns when all have ended."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + graceful_timeout + KILL_AFTER
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.is_alive():
            log.error("worker did not stop, killed", extra={"worker": worker.pid})
            worker.kill()
            worker.join()
        bury(worker)


def bury(worker: BaseProcess) -> None:
    """Forget what a dead worker's gauges said."""
    if worker.pid is not None:
        metrics_folder.forget(worker.pid)

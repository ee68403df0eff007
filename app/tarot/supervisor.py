"""Several workers on one listening socket.

uvicorn has a supervisor too. It keeps the socket open while the workers drain, so a new
connection waits until it is reset instead of being refused (and sent to another replica by
nginx); it kills a worker that is slow to start; and each worker imports everything anew. Here
the application is imported once and the workers are forks, which share that memory.
"""

import gc
import logging
import time
from multiprocessing.process import BaseProcess
from socket import socket

from tarot import processes
from tarot.processes import StopSignal, Work

STARTUP_FAILED = 3
RESTART_PAUSE = 0.5

log = logging.getLogger(__name__)


class Supervisor:
    """Starts the workers, replaces those that die, and stops them together."""

    def __init__(self, work: Work, count: int, graceful_timeout: float) -> None:
        self._work = work
        self._count = count
        self._graceful_timeout = graceful_timeout
        self._workers: list[BaseProcess] = []

    def run(self, sock: socket) -> int:
        """Serve on a bound socket until SIGTERM; returns the exit code."""
        # What is there now stays for ever: the collector need not touch, and copy, it.
        gc.freeze()
        stop = StopSignal()
        self._workers = [processes.start(self._work, sock) for _ in range(self._count)]
        code = 0
        while not stop.received and code == 0:
            stop.wait(self._workers)
            code = self._replace_dead(sock, stop)
        # Before the workers stop: only when the last descriptor is closed are new connections
        # refused, and refused is what a proxy can retry elsewhere.
        sock.close()
        processes.stop(self._workers, self._graceful_timeout)
        log.info("stopped")
        return code

    def _replace_dead(self, sock: socket, stop: StopSignal) -> int:
        """Start a worker for each that died; returns an exit code when that is pointless."""
        for worker in [worker for worker in self._workers if not worker.is_alive()]:
            self._workers.remove(worker)
            processes.bury(worker)
            if stop.received:
                continue
            log.error("worker died", extra={"worker": worker.pid, "exit_code": worker.exitcode})
            if worker.exitcode == STARTUP_FAILED:
                return STARTUP_FAILED  # the next one would fail too: let the engine see it
            time.sleep(RESTART_PAUSE)  # a crash loop must not eat the processor
            if not stop.received:
                self._workers.append(processes.start(self._work, sock))
        return 0

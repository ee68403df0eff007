"""For development: a worker that is replaced when the code changes.

The libraries take most of the time to start, so they are imported here, once, and a worker is
a fork that only imports the application. Changes are seen by modification times, since the
bind mounts of virtual machines deliver no events. While a worker is replaced, connections
wait in the listening socket.
"""

import importlib
import logging
import sys
from pathlib import Path
from socket import socket

from tarot import processes
from tarot.processes import StopSignal
from tarot.settings import CODE

PERIOD = 0.2
# The code only: the database next to it changes all the time.
WATCHED = {".py", ".html", ".json"}
LIBRARIES = (
    "fastapi",
    "fastapi.templating",
    "jwt",
    "prometheus_client",
    "redis.asyncio",
    "sqlalchemy.orm",
)

log = logging.getLogger(__name__)


def run(sock: socket, graceful_timeout: float) -> int:
    """Serve on a bound socket until SIGTERM; returns the exit code."""
    for library in LIBRARIES:
        importlib.import_module(library)
    stop = StopSignal()
    seen = _snapshot()
    workers = [processes.start(_work, sock)]
    while not stop.received:
        stop.wait(workers, PERIOD)
        if workers and not workers[0].is_alive() and not stop.received:
            # A mistake in the code, most likely: the log has it, and the next change may mend it.
            log.error("worker died", extra={"exit_code": workers[0].exitcode})
            processes.bury(workers.pop())
        now = _snapshot()
        if now != seen and not stop.received:
            changed = sorted(str(path.relative_to(CODE)) for path, _ in now ^ seen)
            log.info("code changed, reloading", extra={"files": sorted(set(changed))})
            seen = now
            processes.stop(workers, graceful_timeout)
            workers = [processes.start(_work, sock)]
    processes.stop(workers, graceful_timeout)
    return 0


def _snapshot() -> set[tuple[Path, int]]:
    files = set()
    for path in CODE.rglob("*"):
        if path.suffix in WATCHED:
            try:
                files.add((path, path.stat().st_mtime_ns))
            except FileNotFoundError:  # an editor replaces files while we look
                continue
    return files


def _work(sockets: list[socket]) -> int:
    """Forget our own modules, and serve with those that are on disk now."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tarot"]:
        del sys.modules[name]
    server = importlib.import_module("tarot.server")
    settings = importlib.import_module("tarot.settings")
    return server.work(settings.load(), sockets)

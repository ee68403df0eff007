"""The HTTP server: uvicorn, in this process, under the reloader, or in several workers."""

import asyncio
import functools
import importlib
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from tarot import lifecycle, logs, reloader
from tarot.settings import Settings
from tarot.supervisor import STARTUP_FAILED, Supervisor

APPLICATION = "tarot.application"
# Longer than nginx keeps an idle upstream connection (60 s): the side that sends requests
# has to be the one that closes, or a request races with the close and is lost.
KEEP_ALIVE = 75
WEBSOCKET_MESSAGE = 64 * 1024

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """uvicorn, that tells the application when it starts to drain, and idles cheaply."""

    _wake: Callable[[], object] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take SIGTERM or SIGINT."""
        lifecycle.start_draining()
        super().handle_exit(sig, frame)
        if self._wake:
            self._wake()

    async def main_loop(self) -> None:
        """Wait for the end.

        uvicorn's own looks ten times a second whether it has come, and renews the Date header
        (tarot.middleware writes that), which is most of what a worker does that has nothing to
        do. This one is woken.
        """
        ended = asyncio.Event()
        self._wake = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set)
        if not self.should_exit:  # by a signal that came before there was what it wakes
            await ended.wait()
        self._wake = None


def run(settings: Settings) -> int:
    """Serve until SIGTERM; returns the exit code."""
    sock = _bind(settings)
    if settings.debug:
        if settings.workers > 1:
            log.warning("DEBUG reloads on changes, with one worker")
        return reloader.run(sock, settings.graceful_timeout)
    if settings.workers == 1:
        return work(settings, [sock])
    importlib.import_module(APPLICATION)  # once, for all the forks
    serve = functools.partial(work, settings)
    return Supervisor(serve, settings.workers, settings.graceful_timeout).run(sock)


def work(settings: Settings, sockets: list[socket.socket]) -> int:
    """Serve in this process; returns the exit code."""
    server = Server(_config(settings))
    server.run(sockets=sockets)
    return 0 if server.started else STARTUP_FAILED


def _bind(settings: Settings) -> socket.socket:
    """The listening socket, of which connections inherit the protocol.

    uvicorn's own bind_socket() leaves the protocol out; asyncio then takes the connections for
    something else than TCP, Nagle's algorithm stays on, and every answer on a connection that
    was used before takes 40 ms.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((settings.host, settings.port))
    return sock


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        f"{APPLICATION}:create",
        factory=True,
        host=settings.host,
        port=settings.port,
        log_config=logs.config(settings.log_level),
        log_level=None,
        access_log=False,  # tarot.middleware writes it, with the request's id
        server_header=False,
        date_header=False,
        proxy_headers=True,
        forwarded_allow_ips=list(settings.forwarded_allow_ips),
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=settings.graceful_timeout,
        ws_max_size=WEBSOCKET_MESSAGE,
    )

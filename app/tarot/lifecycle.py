"""What this process knows about itself: since when it runs, and whether it is stopping."""

import threading
import time

STARTED = time.time()

_draining = threading.Event()


def start_draining() -> None:
    """From now on /health says 503. Called from a signal handler."""
    _draining.set()


def is_draining() -> bool:
    """Whether SIGTERM has come."""
    return _draining.is_set()

"""A debugger in the worker, when DEBUGGER_PORT asks for one and debugpy is installed."""

import logging
import threading
import time

log = logging.getLogger(__name__)

# After a reload the previous worker's adapter keeps the port for a moment.
PATIENCE = 15.0


def listen(port: int | None) -> None:
    """Listen for a debugger client, without waiting for one."""
    if port is None:
        return
    try:
        import debugpy
    except ImportError:
        log.warning("DEBUGGER_PORT is set, but debugpy is not installed in this image")
        return
    threading.Thread(target=_listen, args=(debugpy, port), daemon=True, name="debugger").start()


def _listen(debugpy, port: int) -> None:  # noqa: ANN001
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            debugpy.listen(("0.0.0.0", port))
            log.info("debugger listens", extra={"port": port})
            return
        except RuntimeError as error:
            if time.monotonic() > deadline:
                log.warning("debugger cannot listen: %s", error, extra={"port": port})
                return
            time.sleep(0.3)

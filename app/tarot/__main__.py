"""The commands of the container: `python -m tarot [serve|migrate|copy-database]`."""

import os
import signal
import sys
from types import FrameType

USAGE = "usage: python -m tarot [serve|migrate|copy-database [--check|--verify]]"


def leave(number: int, frame: FrameType | None) -> None:
    """End on SIGTERM, as long as no server has a better idea.

    Process 1 has no default action for it: without this, a stop during the start would wait
    for SIGKILL. It is also what uvicorn restores and raises again after a graceful shutdown,
    which then ends with code 0. At once, since an exception out of a signal handler can hit
    code that swallows it or, in an extension, dies of it; SQLite rolls back what is open.
    """
    os._exit(0)


def main(arguments: list[str]) -> int:
    """Run one command and return the process's exit code."""
    signal.signal(signal.SIGTERM, leave)

    # Imported only now: that takes half a second in which SIGTERM would go unheard.
    from tarot.settings import SettingsError

    name = arguments[0] if arguments else "serve"
    if name not in ("serve", "migrate", "copy-database") or (
        len(arguments) > 1 and name != "copy-database"
    ):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        if name == "copy-database":
            from tarot import copy_database

            return copy_database.run(arguments[1:])
        from tarot import serve

        return serve.serve() if name == "serve" else serve.migrate_only()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

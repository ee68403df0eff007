"""The folder in which the processes of a container keep their metrics.

prometheus_client looks at the variable when it is imported, so this module must not import
it, nor anything that does, before `prepare` has run.
"""

import os
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare(port: int) -> None:
    """Name and empty the folder; numbers of an earlier run would be added to this one's."""
    default = Path(tempfile.gettempdir()) / f"tarot-metrics-{port}"
    folder = Path(os.environ.setdefault(VARIABLE, str(default)))
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()


def forget(pid: int) -> None:
    """Drop a dead process's gauges; its counters stay, or the sums would go back."""
    if VARIABLE in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(pid)

"""Metrics of all workers of this container together.

Each process keeps its numbers in files of a folder (see tarot.metrics_folder); /metrics adds
them up. Without the folder, in tests, the numbers of the one process are shown.
"""

import os
from collections.abc import Iterator

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tarot import stores
from tarot.metrics_folder import VARIABLE
from tarot.settings import Settings

REQUESTS = Counter("http_requests", "Requests answered.", ("method", "route", "status"))
DURATION = Histogram(
    "http_request_duration_seconds",
    "From the request's first byte to the response's last.",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
IN_PROGRESS = Gauge(
    "http_requests_in_progress", "Requests being answered.", multiprocess_mode="livesum"
)
WEBSOCKETS = Gauge("websockets_open", "Open WebSockets.", multiprocess_mode="livesum")
READINGS = Counter("tarot_readings", "Readings stored, or replayed for a retry.", ("outcome",))
DB_POOL_SIZE = Gauge(
    "db_pool_size", "Connections that the pools may open.", multiprocess_mode="livesum"
)
DB_POOL_CHECKED_OUT = Gauge(
    "db_pool_checked_out", "Connections in use.", multiprocess_mode="livesum"
)
DB_ERRORS = Counter("db_errors", "Database errors; locked: others held it too long.", ("kind",))
DB_LOCK_WAIT = Histogram(
    "db_lock_wait_seconds",
    "Wait for the write lock.",
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10),
)
CACHE_REQUESTS = Counter(
    "cache_requests",
    "Questions to the cache; error: it failed or refused, skipped: it was known to be away.",
    ("outcome",),
)


def render(settings: Settings) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Facts(settings))
    if VARIABLE in os.environ:
        multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry)
    return generate_latest(REGISTRY) + generate_latest(registry)


class _Facts(Collector):
    """What is the same for every worker, read when it is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        store = stores.of(self._settings)
        info = GaugeMetricFamily("tarot_info", "Always 1.", labels=("release", "database"))
        info.add_metric((self._settings.release, store.name), 1)
        yield info
        sizes = GaugeMetricFamily("db_file_bytes", "Size of the database.", labels=("file",))
        for label, size in store.sizes().items():
            sizes.add_metric((label,), size)
        yield sizes

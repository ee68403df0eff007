"""Valkey, where REDIS_URL names one: answers that are kept for a while, and counters.

Nothing depends on it. Whoever asks gets no answer instead of an error, and hardly waits: the
first failure ends the asking, and only when a PING has been answered in time is it asked
again. So an outage costs one TIMEOUT, for the requests that were under way when it began.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Iterator
from contextvars import Context

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from tarot import metrics
from tarot.settings import RedisAddress

# Seconds for each step: for a connection, for its login, for an answer. A neighbour answers
# within a millisecond; longer than 0.1 s people notice that they wait.
TIMEOUT = 0.1
# Seconds before each PING while it is not there: how long it may be unused once it is back.
PERIOD = 1.0
# Seconds in which one that comes and goes, as on a machine without time, is told of once.
QUIET = 60.0
# Of a worker. Each is busy for a millisecond, so ten are some thousand requests a second.
CONNECTIONS = 10

log = logging.getLogger(__name__)


class Cache:
    """Valkey as the application sees it: useful while it answers, and no loss otherwise."""

    def __init__(self, address: RedisAddress | None) -> None:
        """Without an address it never answers, and counts nothing."""
        self.state = "none is configured"
        self._ready = False
        self._told, self._loud = -math.inf, True
        self._probe: asyncio.Task[None] | None = None
        self._refused: set[str] = set()
        self._client: Redis | None = None
        if address is None:
            return
        self.state = "not asked yet"
        for outcome in ("hit", "miss", "write", "error", "skipped"):
            metrics.CACHE_REQUESTS.labels(outcome)  # shown as 0 before the first one
        pool = BlockingConnectionPool(
            max_connections=CONNECTIONS,
            timeout=TIMEOUT,
            host=address.host,
            port=address.port,
            db=address.database,
            username=address.username,
            password=address.password,
            socket_connect_timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # a client's default would wait for seconds
            lib_name=None,  # two more questions for each connection
            lib_version=None,
        )
        self._client = Redis.from_pool(pool)

    def start(self, after: float = 0) -> None:
        """Look for it after so many seconds, beside whatever else is done."""
        if self._client is not None:
            # In a context of its own: what it logs belongs to no request.
            self._probe = asyncio.create_task(self._look(after), context=Context())

    async def close(self) -> None:
        """Close the connections."""
        self._ready = False
        if self._probe is not None:
            self._probe.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probe
        if self._client is not None:
            await self._client.aclose()

    async def get(self, key: str) -> bytes | None:
        """What is kept under the key; None where there is nothing, or no answer."""
        with self._asking("GET") as client:
            if client is not None:
                value = await client.get(key)
                metrics.CACHE_REQUESTS.labels("miss" if value is None else "hit").inc()
                return value
        return None

    async def put(self, key: str, value: bytes, seconds: int) -> None:
        """Keep a value for so long, if that is possible."""
        with self._asking("SET") as client:
            if client is not None:
                await client.set(key, value, ex=seconds)
                metrics.CACHE_REQUESTS.labels("write").inc()
                self._refused.discard("SET")

    async def count(self, key: str, seconds: int) -> int | None:
        """Count one more under the key, which is forgotten after so long; None: no answer."""
        with self._asking("INCR") as client:
            if client is not None:
                # Together: a counter whose EXPIRE is lost would stay for ever.
                async with client.pipeline(transaction=True) as both:
                    counted, _ = await both.incr(key).expire(key, seconds).execute()
                metrics.CACHE_REQUESTS.labels("write").inc()
                self._refused.discard("INCR")
                return counted
        return None

    @contextlib.contextmanager
    def _asking(self, command: str) -> Iterator[Redis | None]:
        """The client, or None while there is nobody to ask; what goes wrong ends here."""
        if not self._ready:
            if self._client is not None:
                metrics.CACHE_REQUESTS.labels("skipped").inc()
            yield None
            return
        try:
            yield self._client
        except ResponseError as error:
            # It is there and says no, at once: it is full, or this user may not.
            metrics.CACHE_REQUESTS.labels("error").inc()
            if command not in self._refused:
                self._refused.add(command)
                kind = type(error).__name__
                log.warning("the cache refuses %s: %s: %s", command, kind, error)
        except Exception as error:  # whatever it is, no request may fail of it
            metrics.CACHE_REQUESTS.labels("error").inc()
            if self._ready:
                self._ready = False
                self._tell(error)
                self.start(after=PERIOD)

    async def _look(self, pause: float) -> None:
        """Wait until it answers."""
        while True:
            await asyncio.sleep(pause)
            try:
                # None that was open before the outage is worth anything after it.
                await self._client.connection_pool.disconnect(inuse_connections=False)
                await self._client.ping()
                break
            except Exception as error:
                self._tell(error)
            pause = PERIOD
        self._ready, self.state = True, "ok"
        if self._loud:
            log.info("the cache answers")

    def _tell(self, error: Exception) -> None:
        """Say once for each outage why it began, and once for several in a row."""
        if not self.state.startswith("no answer"):
            now = time.monotonic()
            self._loud = now - self._told > QUIET
            if self._loud:
                self._told = now
                log.warning("no answer from the cache, going on without it: %s", error)
        self.state = f"no answer: {error}"

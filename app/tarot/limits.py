"""How often one client may ask, and an account be tried. The counters are in Valkey, so that
all replicas share them.
"""

import math
import time

from fastapi import HTTPException, Request

MINUTE = 60
# Attempts a minute for one account, whoever makes them: far more than its owner needs. How many
# one client may make is for the proxy in front to say.
ATTEMPTS = 30


async def limit_readings(request: Request) -> None:
    """Refuse with 429 what goes beyond READINGS_PER_MINUTE from one address.

    A client may use its whole number in each minute of the clock. Where nobody counts
    (0, no Valkey, or none that answers) nobody is refused.
    """
    most = request.app.state.settings.readings_per_minute
    if not most:
        return
    client = request.client.host if request.client else "unknown"
    minute, into = divmod(time.time(), MINUTE)
    counted = await request.app.state.cache.count(f"tarot:limit:{client}:{minute:.0f}", MINUTE)
    if counted is not None and counted > most:
        raise _later("too many readings in a minute", into)


class Attempts:
    """The attempts at each account in this minute, as one process sees them."""

    def __init__(self) -> None:
        self._minute = 0.0
        self._counted: dict[str, int] = {}

    def count(self, account: str, minute: float) -> int:
        """Count one more; the accounts are few, and last minute's are forgotten."""
        if minute != self._minute:
            self._minute, self._counted = minute, {}
        self._counted[account] = self._counted.get(account, 0) + 1
        return self._counted[account]


async def limit_attempts(request: Request, account: str) -> None:
    """Refuse with 429 what goes beyond ATTEMPTS at an account; right passwords, too.

    Where no Valkey counts, or none that answers, each process counts by itself.
    """
    minute, into = divmod(time.time(), MINUTE)
    here = request.app.state.attempts.count(account, minute)
    all_of_them = await request.app.state.cache.count(
        f"tarot:attempts:{account}:{minute:.0f}", MINUTE
    )
    if max(here, all_of_them or 0) > ATTEMPTS:
        raise _later("too many attempts in a minute", into)


def _later(detail: str, into: float) -> HTTPException:
    headers = {"Retry-After": str(math.ceil(MINUTE - into)), "Cache-Control": "no-store"}
    return HTTPException(429, detail, headers=headers)

"""How often one client may ask. The counters are in Valkey, so that all replicas share them."""

import math
import time

from fastapi import HTTPException, Request

MINUTE = 60


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
        wait = str(math.ceil(MINUTE - into))
        raise HTTPException(429, "too many readings in a minute", headers={"Retry-After": wait})

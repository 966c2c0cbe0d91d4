"""Supabase is away at some of its paths, in every way there is, while everything else goes on."""

import asyncio
import time
from itertools import cycle
from typing import Final

from devstack.controls import FAULTS, GatewayFault
from support.hq import Hq

# Every fault of the gateway but those that name our key: these are refusals.
AWAY: Final = {name: fault for name, fault in FAULTS.items() if name not in {"legacy keys disabled", "invalid key"}} | {
    "moved": GatewayFault(301),
    "busy": GatewayFault(429, '{"message":"too many requests"}'),
    "other JSON": GatewayFault(200, '{"message":"Please wait"}'),
    "unauthorized": GatewayFault(401, "<html>Sign in</html>", "text/html"),
}

PLACES: Final = {
    "claim": "claim_hq_runs",
    "renew": "renew_hq_leases",
    "checkpoint": "checkpoint_hq_step",
    "settle": "settle_hq_run",
    "request": "request_and_claim_hq_run",
    "journal": "write_hq_log",
}

_EACH_SECONDS: Final = 1.0
_RESCUE_EVERY: Final = 2


async def stay_away(hq: Hq, path: str, *, seconds: float) -> float:
    """Answer a path for so long with one fault after the other, while pg_cron rescues; return when it is repaired."""
    until = time.monotonic() + seconds
    for number, fault in enumerate(cycle(AWAY.values())):
        hq.stack.gateway.fail(path, fault)
        if number % _RESCUE_EVERY == 0:
            hq.rows("select * from public.rescue_hq_runs()")
        left = until - time.monotonic()
        await asyncio.sleep(max(0, min(_EACH_SECONDS, left)))
        if left <= _EACH_SECONDS:
            break
    hq.stack.gateway.heal()
    return time.monotonic()

"""The state of the service: which keys are set, for the settings page, and the health check for monitoring."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from pydantic import JsonValue

from shared.errors import BackendError
from workers.ports import Clock, Gateway, Identity, QueueState, Wakeups
from workers.runtime.shared_read import SharedRead
from workers.version import read_version
from workers.web.exchange import Request, Response, identify

# However many ask, the database is asked at most once in this time.
_KEPT_FOR: Final = timedelta(seconds=2)
_TIMEOUT_SECONDS: Final = 5.0
_LATE_SECONDS: Final = 60
_DEGRADED: Final = 503


class ApiStatusEndpoint:
    """`POST /functions/v1/check-api-status`: which keys are set, for anybody who is signed in."""

    def __init__(self, *, identity: Identity, present: Mapping[str, bool], clock: Clock) -> None:
        self._identity = identity
        self._present = present
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        """Answer which keys are set. Raises: Unauthenticated, BackendError."""
        await identify(self._identity, request)
        return Response({"status": dict(self._present), "checked_at": self._clock.now().isoformat()})


class HealthEndpoint:
    """`GET /functions/v1/healthz`: public, so it shows states but never reasons.

    Realtime is reported but never makes the answer 503: without it workers poll every few seconds.
    """

    def __init__(
        self,
        *,
        read_queue: Callable[[], Awaitable[QueueState]],
        wakeups: Wakeups,
        gateway: Gateway,
        clock: Clock,
    ) -> None:
        self._read_queue = read_queue
        self._wakeups = wakeups
        self._gateway = gateway
        self._clock = clock
        self._database = SharedRead[dict[str, JsonValue]](_KEPT_FOR, clock, counted_from="end")

    async def __call__(self, request: Request) -> Response:
        """Answer 200 when all is well, 503 when something is not."""
        del request
        open_models = sorted(model for model, state in self._gateway.breaker_states().items() if state == "OPEN")
        checks: dict[str, JsonValue] = {
            **await self._database.get(self._read_database),
            "realtime": {"ok": True, "detail": self._wakeups.state.value},
            "ai_gateway_breaker": {"ok": not open_models, "detail": "OPEN" if open_models else "CLOSED"},
            "edge_runtime": {"ok": True},
        }
        is_well = all(isinstance(check, dict) and check["ok"] for check in checks.values())
        return Response(
            {
                "status": "healthy" if is_well else "degraded",
                "version": read_version(),
                "timestamp": self._clock.now().isoformat(),
                "checks": checks,
            },
            200 if is_well else _DEGRADED,
        )

    async def _read_database(self) -> dict[str, JsonValue]:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                queue = await self._read_queue()
        except (BackendError, TimeoutError):
            return {"database": {"ok": False, "detail": "unreachable"}, "queue": {"ok": False, "detail": "unknown"}}
        age = round(queue.oldest_due_seconds)
        return {
            "database": {"ok": True, "latency_ms": round((self._clock.monotonic() - started) * 1000)},
            "queue": {
                "ok": age < _LATE_SECONDS,
                "detail": f"{queue.waiting} waiting, {queue.running} running, oldest due {age} s",
            },
        }

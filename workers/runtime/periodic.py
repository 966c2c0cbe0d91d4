"""What a worker does periodically besides executing runs; its sweep for due runs is in ``worker``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from workers.ports import Clock, Plan, Purge

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PeriodicTask:
    """Work to repeat, at about this interval."""

    name: str
    every: timedelta
    do: Callable[[], Awaitable[object]]
    at_start: bool = False
    """Whether the first time is at once; otherwise, workers that started together spread over the period."""


def look_at_plan(plan: Plan, *, every: timedelta) -> PeriodicTask:
    """Look at the plan, even where pg_cron does: SQL decides each slot once, however many look."""

    async def look() -> None:
        for slot in await plan.fire_due():
            log.info("plan.slot_decided", **slot.model_dump(mode="json"))

    return PeriodicTask("fire_due", every, look)


def purge_in_batches(
    purge: Callable[[], Awaitable[Purge]], *, every: timedelta, pause: timedelta, clock: Clock
) -> PeriodicTask:
    """Purge old logs where nothing else does: a small batch at a time, with pauses that leave room for others."""

    async def purge_all() -> None:
        while True:
            done = await purge()
            if done.deleted:
                log.info("logs.purged", deleted=done.deleted)
            if not done.more:
                return
            await clock.sleep(pause)

    return PeriodicTask("purge", every, purge_all)

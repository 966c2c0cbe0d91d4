"""What a worker does periodically: each task logs what it did, and leaves room for everybody else."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog
from support.runs import NOW

from workers.clock import SystemClock
from workers.ports import PlannedJob, Purge, Slot, SlotOutcome
from workers.runtime.periodic import look_at_plan, purge_in_batches


class QuickClock(SystemClock):
    """Notes how long it is asked to sleep, and sleeps a moment."""

    def __init__(self) -> None:
        self.naps: list[timedelta] = []

    async def sleep(self, delay: timedelta) -> None:
        self.naps.append(delay)
        await asyncio.sleep(0)


class FiringPlan:
    """Decides one slot at each look."""

    async def read_jobs(self) -> Sequence[PlannedJob]:
        return ()

    async def fire_due(self) -> Sequence[Slot]:
        return [Slot(job_key="daily_brief", slot_at=NOW, outcome=SlotOutcome.FIRED, reason="created", run_id=None)]


async def test_the_slots_that_a_look_at_the_plan_decides_are_told() -> None:
    task = look_at_plan(FiringPlan(), every=timedelta(seconds=30))

    with structlog.testing.capture_logs() as logs:
        await task.do()

    (logged,) = logs
    assert task.every == timedelta(seconds=30)
    assert (logged["event"], logged["job_key"], logged["outcome"]) == ("plan.slot_decided", "daily_brief", "fired")


async def test_old_logs_are_purged_batch_by_batch_while_there_are_more() -> None:
    clock, pause = QuickClock(), timedelta(seconds=3)
    purges = [Purge(deleted=2000, more=True), Purge(deleted=2000, more=True), Purge(deleted=0, more=False)]

    async def purge() -> Purge:
        return purges.pop(0)

    with structlog.testing.capture_logs() as logs:
        await purge_in_batches(purge, every=timedelta(hours=1), pause=pause, clock=clock).do()

    assert not purges
    assert clock.naps == [pause, pause]
    assert [line["deleted"] for line in logs] == [2000, 2000]

"""Runs that do nothing: what is left of a run is the ledger."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench.rig import PATIENCE, Rig, open_worker
from shared.runs import Claim, Outcome, RunStatus, Settlement, StepRecord
from workers.executive_run.steps import Step
from workers.ports import Look, Meter, Usage, WakeupState
from workers.settings import WorkerSettings


async def no_op(claim: Claim, meter: Meter) -> Settlement:
    """Do nothing, but leave everything that a real run leaves: four steps, evidence-free, a bill of one call."""
    now = datetime.now(UTC)
    meter.add(Usage(model="no-op", calls=1, tokens_in=1, tokens_out=1))
    return Settlement(
        outcome=Outcome.COMPLETED,
        summary=f"# {claim.run_type}",
        appendix={"model_used": "no-op", "data_sources": [], "steps": []},
        steps=tuple(
            StepRecord(
                step_order=step.order,
                name=step.value[0],
                description=step.value[1],
                status=RunStatus.COMPLETED,
                started_at=now,
                completed_at=now,
            )
            for step in Step
        ),
    )


async def settle_noops(rig: Rig, count: int) -> float:
    """Request so many runs, let one worker of this process settle them all, and return how many it did per second."""
    rig.queue_runs(count)
    left = count
    executed = asyncio.Event()

    async def execute(claim: Claim, meter: Meter) -> Settlement:
        nonlocal left
        left -= 1
        if left <= 0:
            executed.set()
        return await no_op(claim, meter)

    started = time.monotonic()
    async with open_worker(rig, execute, settings=WorkerSettings(concurrency=32), wakeups=Silence()):
        # The queue is not asked before: it is read with all its dead rows, which would be measured too.
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await executed.wait()
        await rig.until("select (count(*) = 0)::int from hq.run_queue")
    return count / (time.monotonic() - started)


class Silence:
    """Wake-ups that come only when the bench says so."""

    state = WakeupState.LIVE
    fault = None

    def __init__(self) -> None:
        self.heard_at = 0.0
        self._look: Look = lambda _: None

    async def watch(self, *, look: Look, check_leases: Callable[[], None]) -> None:  # noqa: ARG002
        """Keep the callback, and be silent."""
        self._look = look
        await asyncio.Event().wait()

    def hear(self) -> None:
        """Say that something happened."""
        self.heard_at = time.monotonic()
        self._look(None)

"""Notifies the callers in this process that wait for a run when its worker ends it."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import datetime

from shared.runs import Claim, RunId, RunStatus, Settlement
from workers.ports import EndedRun


class RunWaiters:
    """The ends of runs, for the callers that wait for them.

    Concurrency: any number may wait for the same run.
    """

    def __init__(self) -> None:
        self._waiting: dict[RunId, set[asyncio.Future[EndedRun]]] = {}

    @contextlib.contextmanager
    def subscribe(self, run_id: RunId) -> Iterator["asyncio.Future[EndedRun]"]:
        """Wait within the block for the end of a run, in case this process ends it."""
        ended_run: asyncio.Future[EndedRun] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(run_id, set()).add(ended_run)
        try:
            yield ended_run
        finally:
            ended_run.cancel()
            self._waiting[run_id].discard(ended_run)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    def is_awaited(self, run_id: RunId) -> bool:
        """Return whether anybody waits for the run."""
        return run_id in self._waiting

    def publish(self, claim: Claim, settlement: Settlement, status: RunStatus, *, at: datetime) -> None:
        """Notify the waiting callers of an attempt's end, if it ends the run."""
        if not status.is_final:
            return
        ended = EndedRun(
            run_id=claim.run_id,
            run_type=claim.run_type,
            platform_key=claim.platform_key,
            status=status,
            summary=settlement.summary,
            appendix=settlement.appendix,
            completed_at=at,
        )
        for ended_run in self._waiting.get(claim.run_id, ()):
            if not ended_run.done():
                ended_run.set_result(ended)

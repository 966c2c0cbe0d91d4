"""Ask for a run and wait for its end: this process's worker reports it first, the database is the fallback."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from shared.errors import BackendError
from shared.runs import RunId, RunStatus
from workers.ports import Clock, EndedRun, Launch, OwnerRequest, RunStore
from workers.runtime.worker import Worker

log = structlog.get_logger(__name__)

# How often a run that another worker executes is looked up.
_LOOK_UP_EVERY: Final = timedelta(seconds=2)


class RunLauncher:
    """Launches runs in this process's worker, and waits for their end wherever they are executed.

    Concurrency: any number of callers. A caller that stops waiting does not stop the run.
    """

    def __init__(
        self,
        worker: Worker,
        store: RunStore,
        *,
        clock: Clock,
        wait: timedelta,
        look_up_every: timedelta = _LOOK_UP_EVERY,
    ) -> None:
        self._worker = worker
        self._store = store
        self._clock = clock
        self._wait = wait
        self._look_up_every = look_up_every
        self._closed = False
        self._waited_for: set[asyncio.Future[EndedRun]] = set()

    async def launch(self, request: OwnerRequest) -> Launch:
        """Request a run and wait, for a limited time, until it has ended. Raises: CallerError, BackendError."""
        ticket = await self._worker.submit(request)
        if ticket.is_paused:
            return Launch(ticket=ticket, ended=None)  # nobody knows how long
        with self._worker.waiters.subscribe(ticket.run_id) as ending:
            ended = await self._look_up(ticket.run_id) if ticket.status.is_final else None
            ended = ended or await self._await_end(ticket.run_id, ending, self._wait)
        if ended is None and ticket.status is RunStatus.PENDING and not await self._is_still_pending(ticket.run_id):
            ticket = ticket.model_copy(update={"status": RunStatus.RUNNING})
        return Launch(ticket=ticket, ended=ended)

    async def follow(self, run_id: RunId, *, within: timedelta) -> EndedRun | None:
        """Wait for a requested run to end; return None if it has not."""
        with self._worker.waiters.subscribe(run_id) as ending:
            return await self._look_up(run_id) or await self._await_end(run_id, ending, within)

    def note_answer(self, run_id: RunId) -> None:
        """Note that whoever asked for a run was answered how it failed: nobody else needs to be notified."""
        self._worker.announcer.note_answer(run_id)

    def close(self) -> None:
        """End all waiting: the runs go on elsewhere."""
        self._closed = True
        for ending in self._waited_for:
            ending.cancel()

    async def _await_end(self, run_id: RunId, ending: asyncio.Future[EndedRun], within: timedelta) -> EndedRun | None:
        deadline = self._clock.monotonic() + within.total_seconds()
        self._waited_for.add(ending)
        try:
            while not self._closed and (left := deadline - self._clock.monotonic()) > 0:
                if await self._clock.wait(ending, within=min(timedelta(seconds=left), self._look_up_every)):
                    return None if ending.cancelled() else ending.result()
                if not self._worker.executes(run_id) and (ended := await self._look_up(run_id)) is not None:
                    return ended
        finally:
            self._waited_for.discard(ending)
        return None

    async def _is_still_pending(self, run_id: RunId) -> bool:
        """Return whether a run that was pending when it was accepted is still pending, as far as is known."""
        if self._worker.executes(run_id):
            return False
        try:
            return await self._store.read_status(run_id) is RunStatus.PENDING
        except BackendError as error:
            log.warning("backend.failed", call="read_status", error_code=error.code, error_message=str(error))
            return True

    async def _look_up(self, run_id: RunId) -> EndedRun | None:
        """Read how a run ended; None also if the database is away: the run is accepted, and the caller asks again."""
        try:
            return await self._store.read_ended(run_id)
        except BackendError as error:
            log.warning("backend.failed", call="read_ended", error_code=error.code, error_message=str(error))
            return None

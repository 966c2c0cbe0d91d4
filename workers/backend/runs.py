"""The run store, on top of the RPCs: which calls are repeated, and what a lost lease means."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from supabase import AsyncClient

from shared.errors import BackendError, BackendRejected, LeaseLost
from shared.runs import Claim, Lease, LeaseState, RunId, RunStatus, Settlement, StepRecord
from workers.backend import rpc
from workers.backend.group_commit import GroupCommit
from workers.backend.retry import retry
from workers.ports import Acceptance, EndedRun, Heartbeat, OwnerRequest, Platform, Rescue, Usage
from workers.settings import WorkerSettings
from workers.version import VERSION

Item = TypeVar("Item")
T = TypeVar("T")

# A report, or what was collected for it, is tens of kilobytes: this many stay below what a gateway accepts at once.
_AT_ONCE: Final = 50
_LONGEST_PAUSE: Final = timedelta(seconds=3)


class SupabaseRunStore:
    """The runs of ``hq``, as seen by one worker.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient, *, worker_id: str, settings: WorkerSettings, started_at: datetime) -> None:
        self._client = client
        self._worker_id = worker_id
        self._settings = settings
        self._started_at = started_at
        self._checkpoints = GroupCommit(self._send_checkpoints, limit=_AT_ONCE)
        self._settlements = GroupCommit(self._send_settlements, limit=_AT_ONCE)

    async def claim(self, limit: int, type_slots: Mapping[str, int]) -> list[Claim]:
        """Take the next due runs. Raises: BackendError."""
        return await rpc.claim_hq_runs(self._client, self._worker_id, limit, self._settings.lease, type_slots)

    async def accept(self, request: OwnerRequest, *, claim: bool) -> Acceptance:
        """Put a request in the queue, claimed at once if asked. Raises: CallerError, BackendError."""
        worker_id = self._worker_id if claim else None
        return await rpc.request_and_claim_hq_run(self._client, request, worker_id, self._settings.lease)

    async def read_ended(self, run_id: RunId) -> EndedRun | None:
        """Read a run, if it has ended. Raises: UnknownRun, BackendError."""
        run = await rpc.get_hq_run(self._client, run_id)
        if not run.status.is_final:
            return None
        return EndedRun(
            run_id=run.run_id,
            run_type=run.run_type,
            platform_key=run.platform_key,
            status=run.status,
            summary=run.executive_summary or "",
            appendix=run.detailed_appendix or {},
            completed_at=run.completed_at or run.created_at,
        )

    async def read_status(self, run_id: RunId) -> RunStatus:
        """Read how far a run is. Raises: UnknownRun, BackendError."""
        return (await rpc.get_hq_run(self._client, run_id)).status

    async def checkpoint(self, lease: Lease, step: StepRecord, usage: Usage) -> None:
        """Keep a finished step. Raises: LeaseLost, BackendError."""
        checkpoint = rpc.Checkpoint(lease, step, usage)
        if not await self._retry(lambda: _own(self._checkpoints.submit(checkpoint))):
            raise LeaseLost(f"Checkpoint of {lease.run_id} refused: lease {lease.lease_token} is gone.")

    async def settle(self, lease: Lease, settlement: Settlement, usage: Usage) -> RunStatus:
        """End an attempt. Raises: LeaseLost, BackendError."""
        end = rpc.End(lease, settlement, usage)
        status = await self._retry(lambda: _own(self._settlements.submit(end)))
        if status == "lost":
            raise LeaseLost(f"Settlement of {lease.run_id} refused: lease {lease.lease_token} is gone.")
        return RunStatus(status)

    async def renew(self, leases: Sequence[Lease], realtime: str) -> Mapping[RunId, LeaseState]:
        """Renew leases and note that the worker lives. Raises: BackendError."""
        heartbeat = Heartbeat(
            version=VERSION,
            concurrency=self._settings.concurrency,
            realtime=realtime,
            started_at=self._started_at,
        )
        return await rpc.renew_hq_leases(self._client, self._worker_id, leases, self._settings.lease, heartbeat)

    async def leave(self) -> None:
        """Note that the worker has stopped. Raises: BackendError."""
        await rpc.renew_hq_leases(self._client, self._worker_id, [], self._settings.lease, None)

    async def release(self, attempts: Sequence[tuple[Lease, Usage]]) -> int:
        """Hand runs back without counting an attempt, and note what they billed. Raises: BackendError."""
        return await self._retry(lambda: rpc.release_hq_runs(self._client, attempts))

    async def rescue(self) -> Rescue:
        """Put right what died or was changed by hand. Raises: BackendError."""
        return await rpc.rescue_hq_runs(self._client)

    async def read_platforms(self, platform_key: str | None) -> tuple[Platform, ...]:
        """Read the managed platforms, or one of them. Raises: BackendError."""
        return tuple(await self._retry(lambda: rpc.read_hq_platforms(self._client, platform_key)))

    async def _send_checkpoints(self, checkpoints: Sequence[rpc.Checkpoint]) -> Sequence[bool | BackendError]:
        alone = partial(rpc.checkpoint_hq_step, self._client)
        return await _send_group(checkpoints, alone=alone, together=partial(rpc.checkpoint_hq_steps, self._client))

    async def _send_settlements(self, ends: Sequence[rpc.End]) -> Sequence[str | BackendError]:
        alone = partial(rpc.settle_hq_run, self._client)
        return await _send_group(ends, alone=alone, together=partial(rpc.settle_hq_runs, self._client))

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat an idempotent call while Supabase is away.

        Longer than a lease is pointless for a fenced write, but a short outage of the backend must not cost a
        report that is already paid for; nobody else can rescue the run either while the backend is away.
        """
        return await retry(call, within=4 * self._settings.lease, longest_pause=_LONGEST_PAUSE)


async def _send_group(
    group: Sequence[Item],
    *,
    alone: Callable[[Item], Awaitable[T]],
    together: Callable[[Sequence[Item]], Awaitable[Sequence[T | BackendError]]],
) -> Sequence[T | BackendError]:
    if len(group) == 1:
        return [await alone(group[0])]
    try:
        return await together(group)
    except BackendRejected:
        # One of them, or all together, is too much: each for itself, so that the others are kept.
        return [await _answer_or_error(alone(item)) for item in group]


async def _answer_or_error(answer: Awaitable[T]) -> T | BackendError:
    try:
        return await answer
    except BackendError as error:
        return error


async def _own(answer: Awaitable[T | BackendError]) -> T:
    """Return one's own answer of a group, or raise one's own error."""
    own = await answer
    if isinstance(own, BackendError):
        raise own
    return own

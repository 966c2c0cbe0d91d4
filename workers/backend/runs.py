"""The run store: which calls are repeated, and what a lost lease means."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeVar

import structlog
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from supabase import AsyncClient

from shared.errors import BackendUnavailable, FunctionMissing, LeaseLost
from shared.runs import Claim, Lease, LeaseState, RunId, RunStatus, Settlement, StepRecord
from workers.backend.fenced_writes import Checkpoint, End, FencedWrites, dump_bills, dump_lease
from workers.backend.report_inputs import PLATFORMS, InputRow, Reads, read_rows
from workers.backend.retry import retry
from workers.backend.rpc import OneRow, Rows, call
from workers.backend.run_requests import SupabaseRunRequests
from workers.ports import (
    Acceptance,
    Bills,
    Clock,
    EndedRun,
    Heartbeat,
    OwnerRequest,
    Platform,
    ReportInputs,
    Rescue,
    WakeupFault,
)
from workers.settings import WorkerSettings
from workers.version import read_version

T = TypeVar("T")

log = structlog.get_logger(__name__)

_LONGEST_PAUSE: Final = timedelta(seconds=3)


class _Traceparent(BaseModel):
    run_id: RunId
    traceparent: str


class _RenewedLease(BaseModel):
    run_id: RunId
    state: LeaseState


_ACCEPTANCES = OneRow(TypeAdapter(Acceptance))
_CLAIMS = TypeAdapter(list[dict[str, JsonValue]])
_RENEWED = TypeAdapter(list[_RenewedLease])
_TRACEPARENTS = TypeAdapter(list[_Traceparent])
_COUNT = TypeAdapter(int)
_RESCUES = OneRow(TypeAdapter(Rescue))
_PLATFORMS = Rows(TypeAdapter(Platform), key="key")
_INPUTS = TypeAdapter(list[InputRow])


class SupabaseRunStore:
    """The runs of ``hq``, as seen by one worker.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        worker_id: str,
        settings: WorkerSettings,
        clock: Clock,
        reads: Callable[[str], Reads] = lambda _: {},
    ) -> None:
        """Make a store whose reports read what ``reads`` names for their run type, besides the platforms."""
        self._client = client
        self._worker_id = worker_id
        self._settings = settings
        self._reads = reads
        self._clock = clock
        self._started_at = clock.now()
        self._requests = SupabaseRunRequests(client)
        self._writes = FencedWrites(client, clock=clock)

    async def claim(self, limit: int, type_slots: Mapping[str, int]) -> list[Claim]:
        """Claim the next due runs. Not idempotent: never repeated, a lost claim is rescued. Raises: BackendError."""
        params = {
            "p_worker_id": self._worker_id,
            "p_limit": limit,
            "p_lease_seconds": self._settings.lease.total_seconds(),
            "p_type_slots": dict(type_slots),
        }
        claims = []
        for row in await call(self._client, "claim_hq_runs", params, _CLAIMS):
            try:
                claims.append(Claim.model_validate(row))
            except ValidationError:
                # Its lease runs out; those claimed with it must not wait for that.
                log.exception("claim.unreadable", run_id=row.get("run_id"))
        return claims

    async def accept(self, request: OwnerRequest, *, claim: bool) -> Acceptance:
        """Enqueue a request, and claim it at once if asked. Raises: CallerError, BackendError."""
        params = {
            "p_requester": str(request.requester),
            "p_run_type": request.run_type,
            "p_platform_key": request.platform_key,
            "p_context": request.context,
            "p_idempotency_key": request.idempotency_key,
            "p_worker_id": self._worker_id if claim else None,
            "p_lease_seconds": self._settings.lease.total_seconds(),
            "p_reads": self._name_reads(request.run_type),
        }
        return await call(self._client, "request_and_claim_hq_run_v2", params, _ACCEPTANCES)

    async def read_ended(self, run_id: RunId) -> EndedRun | None:
        """Read a run, if it has ended. Raises: UnknownRun, BackendError."""
        run = await self._requests.read(run_id)
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
        """Read a run's status. Raises: UnknownRun, BackendError."""
        return (await self._requests.read(run_id)).status

    async def checkpoint(self, lease: Lease, step: StepRecord, bills: Bills) -> None:
        """Store a finished step. Idempotent. Raises: LeaseLost, BackendError."""
        checkpoint = Checkpoint(lease, step, bills)
        if not await self._retry(lambda: self._writes.checkpoint(checkpoint)):
            raise LeaseLost(f"Checkpoint of {lease.run_id} refused: lease {lease.lease_token} is gone.")

    async def settle(self, lease: Lease, settlement: Settlement, bills: Bills) -> RunStatus:
        """End an attempt. Idempotent. Raises: LeaseLost, BackendError."""
        end = End(lease, settlement, bills)
        status = await self._retry(lambda: self._writes.settle(end))
        if status == "lost":
            raise LeaseLost(f"Settlement of {lease.run_id} refused: lease {lease.lease_token} is gone.")
        return RunStatus(status)

    async def renew(
        self, leases: Sequence[Lease], realtime: str, fault: WakeupFault | None
    ) -> Mapping[RunId, LeaseState]:
        """Renew leases and record that the worker is alive. Idempotent. Raises: BackendError."""
        heartbeat = Heartbeat(
            version=read_version(),
            concurrency=self._settings.concurrency,
            realtime=realtime,
            realtime_fault=fault and fault.code,
            realtime_reason=fault and fault.reason,
            started_at=self._started_at,
        )
        return await self._renew(leases, heartbeat)

    async def leave(self) -> None:
        """Record that the worker has stopped. Idempotent. Raises: BackendError."""
        await self._renew([], None)

    async def release(self, attempts: Sequence[tuple[Lease, Bills]]) -> int:
        """Hand runs back without counting an attempt, and record what they billed; return how many were handed back.

        Idempotent. Raises: BackendError.
        """
        leases = [dump_lease(lease) | {"usage": dump_bills(bills)} for lease, bills in attempts]
        return await self._retry(lambda: call(self._client, "release_hq_runs", {"p_leases": leases}, _COUNT))

    async def rescue(self) -> Rescue:
        """Repair runs that died or were changed by hand. Idempotent. Raises: BackendError."""
        return await call(self._client, "rescue_hq_runs", {}, _RESCUES)

    async def read_inputs(self, claim: Claim) -> tuple[tuple[Platform, ...], ReportInputs]:
        """Read the platforms that a run is about, and what else its report needs of the HQ's own database.

        Cost: none where the claim brought them along, else one call. Raises: BackendError.
        """
        rows = _INPUTS.validate_python(claim.inputs) if claim.inputs else await self._call_inputs(claim)
        platforms = next((row.data for row in rows if row.kind == PLATFORMS and row.error is None), None)
        if not isinstance(platforms, list):
            return await self.read_platforms(claim.platform_key), read_rows(rows)
        return tuple(_PLATFORMS.validate_python(platforms)), read_rows(rows)

    async def _call_inputs(self, claim: Claim) -> list[InputRow]:
        params = {
            "p_run_type": claim.run_type,
            "p_platform_key": claim.platform_key,
            "p_reads": self._name_reads(claim.run_type),
        }
        return await self._retry(lambda: call(self._client, "read_hq_report_inputs", params, _INPUTS))

    def _name_reads(self, run_type: str) -> dict[str, JsonValue]:
        return {PLATFORMS: {}, **self._reads(run_type)}

    async def read_traceparents(self, run_ids: Sequence[RunId]) -> Mapping[RunId, str]:
        """Read where the requests of runs stood in a trace, of those that were traced. Raises: BackendError."""
        params = {"p_run_ids": [str(run_id) for run_id in run_ids]}
        rows = await call(self._client, "list_hq_traceparents", params, _TRACEPARENTS)
        return {row.run_id: row.traceparent for row in rows}

    async def read_platforms(self, platform_key: str | None) -> tuple[Platform, ...]:
        """Read the managed platforms, or one of them: alone, so that what stands against it is raised.

        Raises: BackendError.
        """
        params = {"p_platform_key": platform_key}
        return tuple(await self._retry(lambda: call(self._client, "read_hq_platforms_v2", params, _PLATFORMS)))

    async def _renew(self, leases: Sequence[Lease], heartbeat: Heartbeat | None) -> dict[RunId, LeaseState]:
        params = {
            "p_worker_id": self._worker_id,
            "p_leases": [dump_lease(lease) for lease in leases],
            "p_lease_seconds": self._settings.lease.total_seconds(),
            "p_heartbeat": None if heartbeat is None else heartbeat.model_dump(mode="json"),
        }
        rows = await call(self._client, "renew_hq_leases", params, _RENEWED)
        return {row.run_id: row.state for row in rows}

    async def _retry(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat an idempotent call while Supabase is away.

        Retrying for longer than a lease seems pointless for a fenced write, but a short outage of the backend must not
        lose a report that is already paid for, and nobody else can rescue the run while the backend is away.
        A function that existed when the worker started is missing only while PostgREST reloads the schema.
        """
        return await retry(
            attempt,
            clock=self._clock,
            within=4 * self._settings.lease,
            longest_pause=_LONGEST_PAUSE,
            passing=(BackendUnavailable, FunctionMissing),
        )

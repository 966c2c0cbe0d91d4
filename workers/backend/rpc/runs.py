"""The life of a run: asked for, claimed, kept, settled, handed back, rescued, cancelled."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import structlog
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from supabase import AsyncClient

from shared.errors import BackendError
from shared.runs import Claim, Lease, LeaseState, LeaseToken, RunId, Settlement, StepRecord
from workers.backend.rpc._call import call
from workers.backend.translate import refusal
from workers.ports import Acceptance, Heartbeat, OwnerRequest, Rescue, RunRequest, RunTicket, Slot, Usage

log = structlog.get_logger(__name__)


class Checkpoint(NamedTuple):
    """A finished step, with the lease that may write it and what the lease has billed so far."""

    lease: Lease
    step: StepRecord
    usage: Usage


class End(NamedTuple):
    """The end of one attempt, with the lease that may write it."""

    lease: Lease
    settlement: Settlement
    usage: Usage


class _RenewedLease(BaseModel):
    run_id: RunId
    state: LeaseState


class _Written(BaseModel):
    run_id: RunId
    lease_token: LeaseToken
    error_code: str | None
    error_message: str | None


class _Kept(_Written):
    kept: bool | None

    def answer(self) -> bool | BackendError:
        return _refused("checkpoint_hq_steps", self) if self.kept is None else self.kept


class _Settled(_Written):
    status: str | None

    def answer(self) -> str | BackendError:
        return _refused("settle_hq_runs", self) if self.status is None else self.status


def _refused(name: str, written: _Written) -> BackendError:
    return refusal(name, written.error_code or "", written.error_message or "")


_TICKETS = TypeAdapter(list[RunTicket])
_ACCEPTANCES = TypeAdapter(list[Acceptance])
_ROWS = TypeAdapter(list[dict[str, JsonValue]])
_BOOL = TypeAdapter(bool)
_TEXT = TypeAdapter(str)
_INT = TypeAdapter(int)
_KEPT = TypeAdapter(list[_Kept])
_SETTLED = TypeAdapter(list[_Settled])
_RENEWED = TypeAdapter(list[_RenewedLease])
_RESCUES = TypeAdapter(list[Rescue])
_SLOTS = TypeAdapter(list[Slot])


def _lease(lease: Lease) -> dict[str, JsonValue]:
    return {"run_id": str(lease.run_id), "lease_token": lease.lease_token}


async def request_hq_run(client: AsyncClient, request: RunRequest) -> RunTicket:
    """Ask for a run. Raises: the CallerError that SQL meant; BackendError."""
    params = {f"p_{name}": value for name, value in request.model_dump(mode="json").items()}
    return (await call(client, "request_hq_run", params, _TICKETS))[0]


async def request_and_claim_hq_run(
    client: AsyncClient, request: OwnerRequest, worker_id: str | None, lease: timedelta
) -> Acceptance:
    """Ask for a run in an owner's name and take it at once. Raises: the CallerError that SQL meant; BackendError."""
    params = {
        "p_requester": str(request.requester),
        "p_run_type": request.run_type,
        "p_platform_key": request.platform_key,
        "p_context": request.context,
        "p_idempotency_key": request.idempotency_key,
        "p_worker_id": worker_id,
        "p_lease_seconds": lease.total_seconds(),
    }
    return (await call(client, "request_and_claim_hq_run", params, _ACCEPTANCES))[0]


async def claim_hq_runs(
    client: AsyncClient, worker_id: str, limit: int, lease: timedelta, type_slots: Mapping[str, int]
) -> list[Claim]:
    """Take the next due runs. Not idempotent: never repeated, a lost answer is rescued. Raises: BackendError."""
    params = {
        "p_worker_id": worker_id,
        "p_limit": limit,
        "p_lease_seconds": lease.total_seconds(),
        "p_type_slots": dict(type_slots),
    }
    claims = []
    for row in await call(client, "claim_hq_runs", params, _ROWS):
        try:
            claims.append(Claim.model_validate(row))
        except ValidationError:
            # Its lease runs out; those claimed with it must not wait for that.
            log.exception("claim.unreadable", run_id=row.get("run_id"))
    return claims


async def checkpoint_hq_step(client: AsyncClient, checkpoint: Checkpoint) -> bool:
    """Keep a finished step; False when the lease is lost. Idempotent. Raises: BackendError."""
    params = {f"p_{name}": value for name, value in _checkpoint(checkpoint).items()}
    return await call(client, "checkpoint_hq_step", params, _BOOL)


async def checkpoint_hq_steps(client: AsyncClient, checkpoints: Sequence[Checkpoint]) -> list[bool | BackendError]:
    """Keep several steps, each for itself: per step what ``checkpoint_hq_step`` answers, or what it would raise.

    Idempotent. Raises: BackendError when the call itself failed.
    """
    sent = [_checkpoint(checkpoint) for checkpoint in checkpoints]
    rows = await call(client, "checkpoint_hq_steps", {"p_checkpoints": sent}, _KEPT)
    answers = {(row.run_id, row.lease_token): row.answer() for row in rows}
    return [answers[checkpoint.lease.run_id, checkpoint.lease.lease_token] for checkpoint in checkpoints]


def _checkpoint(checkpoint: Checkpoint) -> dict[str, JsonValue]:
    return _lease(checkpoint.lease) | {
        "step": checkpoint.step.model_dump(mode="json"),
        "usage": checkpoint.usage.model_dump(mode="json"),
    }


async def settle_hq_run(client: AsyncClient, end: End) -> str:
    """End an attempt; the run's status, or 'lost'. Idempotent. Raises: BackendError."""
    params = {f"p_{name}": value for name, value in _end(end).items()}
    return await call(client, "settle_hq_run", params, _TEXT)


async def settle_hq_runs(client: AsyncClient, ends: Sequence[End]) -> list[str | BackendError]:
    """End several attempts, each for itself: per attempt what ``settle_hq_run`` answers, or what it would raise.

    Idempotent. Raises: BackendError when the call itself failed.
    """
    rows = await call(client, "settle_hq_runs", {"p_settlements": [_end(end) for end in ends]}, _SETTLED)
    answers = {(row.run_id, row.lease_token): row.answer() for row in rows}
    return [answers[end.lease.run_id, end.lease.lease_token] for end in ends]


def _end(end: End) -> dict[str, JsonValue]:
    settlement = end.settlement
    return {
        "run_id": str(end.lease.run_id),
        "lease_token": end.lease.lease_token,
        "outcome": settlement.outcome.value,
        "summary": settlement.summary,
        "appendix": settlement.appendix,
        "steps": [step.model_dump(mode="json") for step in settlement.steps],
        "evidence": [evidence.model_dump(mode="json") for evidence in settlement.evidence],
        "usage": end.usage.model_dump(mode="json"),
        "retry_in_seconds": settlement.retry_in.total_seconds(),
    }


async def renew_hq_leases(
    client: AsyncClient, worker_id: str, leases: Sequence[Lease], lease: timedelta, heartbeat: Heartbeat | None
) -> dict[RunId, LeaseState]:
    """Renew the worker's leases and note that it lives, or has stopped (None). Idempotent. Raises: BackendError."""
    params = {
        "p_worker_id": worker_id,
        "p_leases": [_lease(lease) for lease in leases],
        "p_lease_seconds": lease.total_seconds(),
        "p_heartbeat": None if heartbeat is None else heartbeat.model_dump(mode="json"),
    }
    rows = await call(client, "renew_hq_leases", params, _RENEWED)
    return {row.run_id: row.state for row in rows}


async def release_hq_runs(client: AsyncClient, attempts: Sequence[tuple[Lease, Usage]]) -> int:
    """Hand runs back, and note what they billed; how many were handed back. Idempotent. Raises: BackendError."""
    leases = [_lease(lease) | {"usage": usage.model_dump(mode="json")} for lease, usage in attempts]
    return await call(client, "release_hq_runs", {"p_leases": leases}, _INT)


async def rescue_hq_runs(client: AsyncClient) -> Rescue:
    """Put right what died or was changed by hand. Idempotent. Raises: BackendError."""
    return (await call(client, "rescue_hq_runs", {}, _RESCUES))[0]


async def enqueue_due_hq_runs(client: AsyncClient) -> list[Slot]:
    """Fire what is due of the plan; the slots that this call decided. Idempotent. Raises: BackendError."""
    return await call(client, "enqueue_due_hq_runs", {}, _SLOTS)


async def cancel_hq_run(client: AsyncClient, run_id: RunId) -> str:
    """Cancel a run; its status. Idempotent. Raises: UnknownRun, BackendError."""
    return await call(client, "cancel_hq_run", {"p_run_id": str(run_id)}, _TEXT)

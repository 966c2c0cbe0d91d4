"""What an attempt writes under its lease: finished steps, and its end; simultaneous writes are sent together."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, JsonValue, TypeAdapter
from supabase import AsyncClient

from shared.errors import BackendError, BackendRejected, BackendUnavailable, RequestTooLarge
from shared.runs import Lease, LeaseToken, RunId, Settlement, StepRecord
from workers.backend.group_commit import GroupCommit
from workers.backend.rpc import call
from workers.backend.translate import refusal
from workers.ports import Bills, Clock

Item = TypeVar("Item")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# A report, or what was collected for it, is tens of kilobytes: this many stay below what a gateway accepts at once.
_AT_ONCE: Final = 50


class Checkpoint(NamedTuple):
    """A finished step, with the lease that may write it and what the lease has billed so far."""

    lease: Lease
    step: StepRecord
    bills: Bills


class End(NamedTuple):
    """The end of one attempt, with the lease that may write it."""

    lease: Lease
    settlement: Settlement
    bills: Bills


class _Written(BaseModel):
    run_id: RunId
    lease_token: LeaseToken
    error_code: str | None
    error_message: str | None


class _Kept(_Written):
    kept: bool | None

    @property
    def answer(self) -> bool | BackendError:
        return _refused("checkpoint_hq_steps", self) if self.kept is None else self.kept


class _Settled(_Written):
    status: str | None

    @property
    def answer(self) -> str | BackendError:
        return _refused("settle_hq_runs", self) if self.status is None else self.status


def _refused(name: str, written: _Written) -> BackendError:
    return refusal(name, written.error_code or "", written.error_message or "")


class _Row(Protocol[T_co]):
    """A row that answers one item of a group."""

    @property
    def run_id(self) -> RunId: ...
    @property
    def lease_token(self) -> LeaseToken: ...
    @property
    def answer(self) -> T_co | BackendError: ...


def _sort_answers(leases: Sequence[Lease], rows: Sequence[_Row[T]]) -> list[T | BackendError]:
    """Return each lease's own answer; a missing one is worth retrying, because all these writes are idempotent."""
    answers = {(row.run_id, row.lease_token): row.answer for row in rows}
    missing = BackendUnavailable("The answer to this item of a group is missing.")
    return [answers.get((lease.run_id, lease.lease_token), missing) for lease in leases]


_BOOL = TypeAdapter(bool)
_TEXT = TypeAdapter(str)
_KEPT = TypeAdapter(list[_Kept])
_SETTLED = TypeAdapter(list[_Settled])


class FencedWrites:
    """Writes of attempts, each refused when its lease is lost. All are idempotent.

    Cost: one call for a lone write, one for all that came while a call was under way.
    Concurrency: any number of tasks.
    """

    def __init__(self, client: AsyncClient, *, clock: Clock) -> None:
        self._client = client
        self._checkpoints = GroupCommit(self._send_checkpoints, limit=_AT_ONCE, clock=clock)
        self._ends = GroupCommit(self._send_ends, limit=_AT_ONCE, clock=clock)

    async def checkpoint(self, checkpoint: Checkpoint) -> bool:
        """Store a finished step; return False if the lease is lost. Raises: BackendError."""
        return await _own(self._checkpoints.submit(checkpoint))

    async def settle(self, end: End) -> str:
        """End an attempt; return the run's status, or 'lost'. Raises: BackendError."""
        return await _own(self._ends.submit(end))

    async def _send_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> Sequence[bool | BackendError]:
        return await _send_group(checkpoints, alone=self._checkpoint_one, together=self._checkpoint_many)

    async def _send_ends(self, ends: Sequence[End]) -> Sequence[str | BackendError]:
        return await _send_group(ends, alone=self._settle_one, together=self._settle_many)

    async def _checkpoint_one(self, checkpoint: Checkpoint) -> bool:
        params = {f"p_{name}": value for name, value in _dump_checkpoint(checkpoint).items()}
        return await call(self._client, "checkpoint_hq_step", params, _BOOL)

    async def _checkpoint_many(self, checkpoints: Sequence[Checkpoint]) -> list[bool | BackendError]:
        params = {"p_checkpoints": [_dump_checkpoint(checkpoint) for checkpoint in checkpoints]}
        rows = await call(self._client, "checkpoint_hq_steps", params, _KEPT)
        return _sort_answers([checkpoint.lease for checkpoint in checkpoints], rows)

    async def _settle_one(self, end: End) -> str:
        params = {f"p_{name}": value for name, value in _dump_end(end).items()}
        return await call(self._client, "settle_hq_run", params, _TEXT)

    async def _settle_many(self, ends: Sequence[End]) -> list[str | BackendError]:
        params = {"p_settlements": [_dump_end(end) for end in ends]}
        rows = await call(self._client, "settle_hq_runs", params, _SETTLED)
        return _sort_answers([end.lease for end in ends], rows)


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
    except (BackendRejected, RequestTooLarge):
        # One item is at fault, or the group is too large: send each alone, so that the others are stored.
        return [await _answer_or_error(alone(item)) for item in group]


async def _answer_or_error(answer: Awaitable[T]) -> T | BackendError:
    try:
        return await answer
    except BackendError as error:
        return error


async def _own(answer: Awaitable[T | BackendError]) -> T:
    """Return an item's own answer from its group, or raise its own error."""
    own = await answer
    if isinstance(own, BackendError):
        raise own
    return own


def dump_lease(lease: Lease) -> dict[str, JsonValue]:
    """Render a lease as the database reads it."""
    return {"run_id": str(lease.run_id), "lease_token": lease.lease_token}


def dump_bills(bills: Bills) -> list[JsonValue]:
    """Render what was billed as the database reads it."""
    return [usage.model_dump(mode="json") for usage in bills]


def _dump_checkpoint(checkpoint: Checkpoint) -> dict[str, JsonValue]:
    return dump_lease(checkpoint.lease) | {
        "step": checkpoint.step.model_dump(mode="json"),
        "usage": dump_bills(checkpoint.bills),
    }


def _dump_end(end: End) -> dict[str, JsonValue]:
    settlement = end.settlement
    return dump_lease(end.lease) | {
        "outcome": settlement.outcome.value,
        "summary": settlement.summary,
        "appendix": settlement.appendix,
        "steps": [step.model_dump(mode="json") for step in settlement.steps],
        "evidence": [evidence.model_dump(mode="json") for evidence in settlement.evidence],
        "usage": dump_bills(end.bills),
        "retry_in_seconds": settlement.retry_in.total_seconds(),
    }

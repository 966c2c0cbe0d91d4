"""The life of a run: requested, executed, stored, watched."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from pydantic import AwareDatetime, Field, JsonValue

from shared.frozen import FrozenModel
from shared.runs import Claim, Lease, LeaseState, RunId, RunStatus, Settlement, StepRecord
from workers.ports.inputs import ReportInputs
from workers.ports.model import Bills, Meter
from workers.ports.reading import Platform


class RunRequest(FrozenModel):
    """A request for a run."""

    run_type: str
    platform_key: str | None = None
    context: JsonValue = None
    trigger: str = "manual"
    idempotency_key: str | None = None
    priority: int = 0
    force: bool = False


class RunTicket(FrozenModel):
    """The run that answers a request: newly created, or found."""

    run_id: RunId
    status: RunStatus
    created: bool
    reason: str
    is_paused: bool
    """Whether everything is paused, so that the run starts only when somebody lifts the pause."""


class OwnerRequest(FrozenModel):
    """A request by an owner whose token was verified."""

    requester: UUID
    run_type: str
    platform_key: str | None = None
    context: JsonValue = None
    idempotency_key: str | None = None


class Acceptance(RunTicket):
    """The run that answers a request, with the claim on it where this worker is to execute it."""

    claim: Claim | None


class EndedRun(FrozenModel):
    """A run that has ended, as published to the callers that waited for it."""

    run_id: RunId
    run_type: str
    platform_key: str | None
    status: RunStatus
    summary: str
    appendix: dict[str, JsonValue]
    completed_at: AwareDatetime


class Launch(FrozenModel):
    """What became of a request while its caller waited."""

    ticket: RunTicket
    ended: EndedRun | None = Field(description="None: the run goes on, or waits; the ticket says which.")


class Launcher(Protocol):
    """Requests runs on behalf of callers that wait for the report."""

    async def launch(self, request: OwnerRequest) -> Launch:
        """Request a run and wait, for a limited time, until it has ended. Raises: CallerError, BackendError."""

    async def follow(self, run_id: RunId, *, within: timedelta) -> EndedRun | None:
        """Wait for a requested run to end; return None if it has not."""

    def note_answer(self, run_id: RunId) -> None:
        """Note that whoever asked for a run was answered how it failed: nobody else needs to be notified."""


class WakeupFault(FrozenModel):
    """Why wake-ups do not reach a worker."""

    code: str = Field(description="As Realtime calls it, such as PrivateOnly, or a word of ours.")
    reason: str = Field(description="Its whole sentence, without secrets.")


class Heartbeat(FrozenModel):
    """What a worker reports about itself with each renewal."""

    version: str
    concurrency: int
    realtime: str
    realtime_fault: str | None = None
    realtime_reason: str | None = None
    started_at: AwareDatetime


class Rescue(FrozenModel):
    """What a rescue repaired."""

    requeued: int
    failed: int
    adopted: int
    dropped: int

    @property
    def did_nothing(self) -> bool:
        """Return whether all was well."""
        return not (self.requeued or self.failed or self.adopted or self.dropped)


class Purge(FrozenModel):
    """What a purge of old rows did."""

    deleted: int
    more: bool


class RunLine(FrozenModel):
    """One line of a list of runs."""

    run_id: RunId
    run_type: str
    platform_key: str | None
    status: RunStatus
    trigger: str | None
    attempt: int | None
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    executive_summary: str | None
    cost_eur: Decimal | None = None


class RunDetail(RunLine):
    """One run with its request, steps, evidence and bill."""

    requester: str | None
    owner_requested: bool
    max_attempts: int | None
    run_at: AwareDatetime | None
    worker_id: str | None
    detailed_appendix: JsonValue
    steps: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    costs: list[dict[str, Any]]


class LogLine(FrozenModel):
    """One row of ``hq.structured_logs``."""

    id: str
    level: str
    source: str
    message: str
    metadata: JsonValue
    run_id: RunId | None
    created_at: AwareDatetime


class RunStore(Protocol):
    """The runs, as a worker needs them. Every write is fenced by a lease; ``LeaseLost`` means: stop, write nothing."""

    async def claim(self, limit: int, type_slots: Mapping[str, int]) -> list[Claim]:
        """Take the next due runs."""

    async def accept(self, request: OwnerRequest, *, claim: bool) -> Acceptance:
        """Enqueue a request, and claim it at once if asked. Raises: the CallerError that the database signalled."""

    async def read_ended(self, run_id: RunId) -> EndedRun | None:
        """Read a run, if it has ended."""

    async def read_status(self, run_id: RunId) -> RunStatus:
        """Read a run's status."""

    async def checkpoint(self, lease: Lease, step: StepRecord, bills: Bills) -> None:
        """Store a finished step and what was billed so far. Raises: LeaseLost."""

    async def settle(self, lease: Lease, settlement: Settlement, bills: Bills) -> RunStatus:
        """End an attempt. Raises: LeaseLost."""

    async def renew(
        self, leases: Sequence[Lease], realtime: str, fault: WakeupFault | None
    ) -> Mapping[RunId, LeaseState]:
        """Renew leases and record that the worker is alive."""

    async def leave(self) -> None:
        """Record that the worker has stopped."""

    async def release(self, attempts: Sequence[tuple[Lease, Bills]]) -> int:
        """Hand runs back without counting an attempt, and record what they billed."""

    async def rescue(self) -> Rescue:
        """Repair runs that died or were changed by hand."""

    async def read_inputs(self, claim: Claim) -> tuple[tuple[Platform, ...], ReportInputs]:
        """Read the platforms that a run is about, and what else its report needs of the HQ's own database."""


class WakeupState(StrEnum):
    """How wake-ups reach this worker."""

    LIVE = "live"
    DEGRADED = "degraded (polling)"


Look = Callable[[str | None], None]
"""Called when work may be waiting, with the id of the row just inserted, or with None."""


class Wakeups(Protocol):
    """Hints that something changed; the truth is in the database alone."""

    @property
    def state(self) -> WakeupState:
        """Return whether hints arrive."""

    @property
    def fault(self) -> WakeupFault | None:
        """Return why they do not arrive, if that is known."""

    async def watch(self, *, look: Look, check_leases: Callable[[], None]) -> None:
        """Call ``look`` when work may be waiting, ``check_leases`` when a run was cancelled; never return."""


class RunExecutor(Protocol):
    """Does the work of one claimed run."""

    def __call__(self, claim: Claim, meter: Meter) -> Awaitable[Settlement]:
        """Execute the claim and return how the attempt ends. Raises: LeaseLost."""

"""The plan, and the autopilot that adds to it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import AliasChoices, AwareDatetime, Field

from shared.frozen import FrozenModel
from shared.registry import Job
from shared.runs import RunId, RunStatus
from workers.ports.model import Bills


class LastRun(FrozenModel):
    """The latest finished run of a type."""

    run_id: RunId
    run_type: str
    status: RunStatus
    completed_at: AwareDatetime


class PlannedJob(Job):
    """A job as it stands in the plan, where operators may have changed its calendar or switched it off."""

    enabled: bool
    due_since: AwareDatetime | None = Field(description="Its slot of the last hour, if one came.")


class SlotOutcome(StrEnum):
    """What became of a slot of the plan."""

    FIRED = "fired"
    MISSED = "missed"
    SKIPPED = "skipped"
    REFUSED = "refused"


class Slot(FrozenModel):
    """A moment at which a job was due, and what became of it."""

    job_key: str
    slot_at: AwareDatetime
    outcome: SlotOutcome
    reason: str | None
    run_id: RunId | None


class Plan(Protocol):
    """The calendar of the jobs. Only SQL fires them; a caller merely makes it look."""

    async def read_jobs(self) -> Sequence[PlannedJob]:
        """Read the jobs as they stand. Raises: BackendError."""

    async def fire_due(self) -> Sequence[Slot]:
        """Fire what is due; return the slots that this call decided. Raises: BackendError."""


class RunHistory(Protocol):
    """What ran before."""

    async def read_last_runs(self, run_types: Sequence[str]) -> Mapping[str, LastRun]:
        """Read the latest finished run of each type that has one. Raises: BackendError."""


class Signal(FrozenModel):
    """Something that may call for a run outside the plan. Its texts are untrusted."""

    kind: Literal["failure", "red", "overdue"]
    subject: str
    detail: str | None = None


class Candidate(FrozenModel):
    """A run type that the rules allow the autopilot to add now."""

    run_type: str
    label: str


class PlannedRun(FrozenModel):
    """What the plan launched in the current hour, Paris time."""

    job: str
    status: RunStatus
    summary: str | None = None


class DecisionStatus(StrEnum):
    """Whether the caller is to decide, or why not."""

    DECIDE = "decide"
    IN_PROGRESS = "in_progress"
    RECENT = "recent"
    OFF = "off"


class DecisionContext(FrozenModel):
    """The answer to a request to decide: the situation, or the existing decision."""

    decision_id: int | None = None
    status: DecisionStatus = Field(validation_alias=AliasChoices("standing", "status"))
    may_ask: bool | None = None
    candidates: tuple[Candidate, ...] | None = None
    signals: tuple[Signal, ...] | None = None
    done: tuple[PlannedRun, ...] | None = None
    pct_used: Decimal | None = None
    is_budget_warned: bool | None = None
    jobs_to_run: tuple[str, ...] | None = None
    reasoning: str | None = None
    next_check_in_minutes: int | None = None


class Decision(FrozenModel):
    """What to add to the plan, before the rules are applied a last time."""

    decided_by: Literal["rules", "model"]
    reasoning: str
    run_types: tuple[str, ...] = ()
    next_check_in_minutes: int
    refused: tuple[str, ...] = ()


class RecordedDecision(FrozenModel):
    """A decision as it stands in the journal."""

    recorded: bool
    jobs_to_run: tuple[str, ...]
    run_ids: tuple[RunId, ...]
    skipped: tuple[str, ...]
    reasoning: str | None
    next_check_in_minutes: int | None


class JournalledDecision(FrozenModel):
    """One line of the autopilot's journal."""

    decision_id: int
    decided_at: AwareDatetime
    asked_by: str
    decided_by: str
    reasoning: str
    jobs_to_run: tuple[str, ...]
    run_ids: tuple[RunId, ...]
    skipped: tuple[str, ...]
    next_check_in_minutes: int
    model: str | None
    cost_eur: Decimal


class Decisions(Protocol):
    """The autopilot's decisions: one at a time among all processes, each recorded with what it launches."""

    async def begin(
        self, asked_by: str, *, fresh: timedelta, lease: timedelta, only_if_enabled: bool = False
    ) -> DecisionContext:
        """Begin a decision, or return the existing one. Raises: BackendError."""

    async def record(self, decision_id: int, decision: Decision, bills: Bills) -> RecordedDecision:
        """Launch what the rules still allow, and record the decision. Raises: BackendError."""

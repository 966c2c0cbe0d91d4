"""A run, as workers see it: what is claimed, what is recorded, how an attempt ends.

Life of a run: ``pending → running → completed | failed | cancelled``; a failure worth another attempt, or a lost
lease, goes back to ``pending`` with a later start, until the attempts are used up. SQL decides every transition.
"""

from datetime import timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID

from pydantic import AwareDatetime, Field, JsonValue

from shared.frozen import FrozenModel

RunId = NewType("RunId", UUID)
LeaseToken = NewType("LeaseToken", int)


class RunStatus(StrEnum):
    """The states of ``hq.run_status``."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Return whether nothing more will happen to the run by itself."""
        return self in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}


class Lease(FrozenModel):
    """The right to work on a run. The token is the fence: every write names it, a newer claim voids it."""

    run_id: RunId
    lease_token: LeaseToken


class LeaseState(StrEnum):
    """What a renewal returns about a lease."""

    HELD = "held"
    CANCELLED = "cancelled"
    LOST = "lost"


class Claim(Lease):
    """A run handed to this worker."""

    run_type: str
    platform_key: str | None
    attempt: int = Field(description="1 is the first; counts failures and lost leases, not hand-backs.")
    max_attempts: int
    trigger: str
    requester: str
    context: JsonValue
    checkpoints: dict[str, JsonValue] = Field(description="Step name → output, of steps already done.")
    inputs: list[dict[str, JsonValue]] | None = Field(
        None, description="What the report reads of the HQ's own database, where the claim brought it along."
    )


class StepRecord(FrozenModel):
    """One real step of a run, as stored in ``hq.run_steps``."""

    step_order: int
    name: str
    description: str
    status: RunStatus
    output: JsonValue = None
    started_at: AwareDatetime
    completed_at: AwareDatetime | None


class EvidenceRecord(FrozenModel):
    """What a source returned, as stored in ``hq.run_evidence``."""

    evidence_type: str
    data: dict[str, JsonValue]
    source_url: str | None


class Outcome(StrEnum):
    """How an attempt ends."""

    COMPLETED = "completed"
    FAILED = "failed"
    RETRY = "retry"


class Settlement(FrozenModel):
    """The end of an attempt: everything that is written with it, in one transaction."""

    outcome: Outcome
    summary: str = Field(description="French Markdown: the report, or what happened and what to do.")
    appendix: dict[str, JsonValue] = Field(description="Flat: scalars and lists of strings.")
    steps: tuple[StepRecord, ...] = ()
    evidence: tuple[EvidenceRecord, ...] = ()
    retry_in: timedelta = timedelta(0)

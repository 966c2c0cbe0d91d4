"""What an operator watches: the queue, what runs, the workers, this month's cost, the health of it all.

The names of the fields are those of ``emocare top --json``: scripts read them, so they stay.
"""

from decimal import Decimal

from pydantic import AwareDatetime, Field

from shared.frozen import FrozenModel
from workers.ports.inspection import CheckState


class OverviewQueue(FrozenModel):
    """The queue in numbers."""

    waiting: int
    running: int
    oldest_due_seconds: float = Field(description="For how long the first due run has been waiting; 0 during a pause.")
    is_paused: bool


class QueuedRun(FrozenModel):
    """An unfinished run, as the operators' view ``hq.queue`` describes it."""

    run_id: str
    run_type: str
    platform_key: str | None
    state: str = Field(description="In the view's French words: « en cours », « en attente », « nouvel essai », …")
    attempt: str | None = Field(description="Which attempt of how many, like 1/3.")
    age_seconds: int | None
    reason: str
    worker_id: str | None
    trigger: str | None


class WorkerLine(FrozenModel):
    """A worker of the last day."""

    worker_id: str
    is_alive: bool = Field(description="Seen within the last minute.")
    hears_realtime: bool = Field(description="Alive, and woken by Realtime.")
    running: int
    concurrency: int
    seen_seconds: int | None = Field(description="How long ago it was last seen.")
    version: str | None


class MonthCost(FrozenModel):
    """What this month's reports cost so far, in Paris time, beside the budget that the presidency set."""

    month_cost_eur: Decimal
    target_eur: Decimal
    threshold_pct: Decimal
    pct_used: Decimal
    is_warned: bool
    is_exhausted: bool


class HealthLine(FrozenModel):
    """One line of the operators' view ``hq.health``, in French."""

    name: str
    state: CheckState
    sentence: str
    detail: str | None


class Overview(FrozenModel):
    """Everything that ``emocare top`` shows, as it was at one moment. The lists are cut off, the counts are not."""

    at: AwareDatetime
    queue: OverviewQueue
    runs: tuple[QueuedRun, ...]
    workers: tuple[WorkerLine, ...]
    workers_known: int
    workers_alive: int
    workers_deaf: int = Field(description="Alive and not woken by Realtime, of all workers.")
    month: MonthCost
    health: tuple[HealthLine, ...] | None = Field(description="None where it was not asked for, or not read yet.")
    health_at: AwareDatetime | None = Field(None, description="When the health was read, which may be earlier.")

"""What the inside asks of the outside: the seams at which adapters are plugged in (see ``bootstrap.py``)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from shared.findings import Collected
from shared.registry import Job, ModelTier, RunType
from shared.runs import Claim, Lease, LeaseState, RunId, RunStatus, Settlement, StepRecord


class Clock(Protocol):
    """Time, so that tests can hold it."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; only differences mean something."""

    async def sleep(self, delay: timedelta) -> None:
        """Wait."""


class Message(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(frozen=True)

    role: str
    content: str


class Usage(BaseModel):
    """What the paid calls of one attempt consumed. Amounts add up; a refused answer is billed too."""

    model_config = ConfigDict(frozen=True)

    model: str = ""
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost_eur: Decimal = Decimal(0)
    search_cost_eur: Decimal = Field(default=Decimal(0), description="What of the cost was for searching the web.")
    estimated: bool = False

    def __add__(self, other: "Usage") -> "Usage":
        """Add two usages; the later model's name is kept, one estimate makes the sum an estimate."""
        return Usage(
            model=other.model or self.model,
            calls=self.calls + other.calls,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            tokens_cached=self.tokens_cached + other.tokens_cached,
            tokens_reasoning=self.tokens_reasoning + other.tokens_reasoning,
            cost_eur=self.cost_eur + other.cost_eur,
            search_cost_eur=self.search_cost_eur + other.search_cost_eur,
            estimated=self.estimated or other.estimated,
        )


class Answer(BaseModel):
    """A usable answer of the model."""

    model_config = ConfigDict(frozen=True)

    text: str
    model: str
    fallback_used: bool


class UsageMeter(Protocol):
    """Receives the usage of every billed call as soon as it is known, also of calls whose answer is refused."""

    def add(self, usage: Usage) -> None:
        """Record the usage of one call."""


class Meter:
    """Adds up what one attempt bills, so that it is known whatever becomes of the attempt."""

    def __init__(self) -> None:
        self.total = Usage()

    def add(self, usage: Usage) -> None:
        """Record the usage of one call."""
        self.total += usage


class Gateway(Protocol):
    """The model."""

    async def ask(self, tier: ModelTier, messages: Sequence[Message], *, meter: UsageMeter) -> Answer:
        """Ask the tier's model, or its fallback; raise a ``GatewayError`` when neither gives a usable answer."""

    def breaker_states(self) -> Mapping[str, str]:
        """Return each model's circuit state: CLOSED, OPEN or HALF_OPEN."""


class Subject(BaseModel):
    """What a source is asked about: a run type, and one platform or all of them; and where it notes what it costs."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    run_type: RunType
    platforms: tuple["Platform", ...]
    platform_key: str | None = Field(default=None, description="None: the whole company.")
    meter: Meter = Field(default_factory=Meter, description="A source that is paid adds to it as soon as it knows.")


class Platform(BaseModel):
    """A managed platform, as ``hq.platforms`` knows it."""

    model_config = ConfigDict(frozen=True)

    key: str
    name: str
    description: str | None = None
    github_url: str | None = None
    status: str
    status_reason: str | None = None
    uptime_percent: Decimal | None = None
    last_release_at: datetime | None = None


class CatalogueEntry(BaseModel):
    """A table of the database, or a function that anybody may call: names alone."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["table", "function"]
    schema_name: str
    object_name: str
    row_security: bool | None = None
    policies: tuple[str, ...] | None = None
    open_to: tuple[str, ...] = ()


class TypeHistory(BaseModel):
    """How the runs of one type went in a period."""

    model_config = ConfigDict(frozen=True)

    run_type: str
    runs: int
    runs_before: int
    completed: int
    failed: int
    cancelled: int
    mean_ms: int | None
    longest_ms: int | None
    usual_error: str | None
    cost_eur: Decimal


class CostLine(BaseModel):
    """What the reports of a month cost, in one respect."""

    model_config = ConfigDict(frozen=True)

    scope: Literal["total", "platform", "type", "model"]
    key: str
    runs: int
    listed_eur: Decimal
    billed_eur: Decimal
    estimated_eur: Decimal
    mean_eur: Decimal


class OpenMatter(BaseModel):
    """Something that waits for a person."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["action", "incident", "failure"]
    title: str
    detail: str | None
    level: str | None
    platform_key: str | None
    since: AwareDatetime


class HqReader(Protocol):
    """What reports read from the HQ's own database. Raises: BackendError."""

    async def read_catalogue(self) -> Sequence[CatalogueEntry]:
        """Read who may reach what, by names alone."""

    async def read_run_history(self, days: int) -> Sequence[TypeHistory]:
        """Read how the runs of the last days went, by type."""

    async def read_open_matters(self, platform_key: str | None) -> Sequence[OpenMatter]:
        """Read what waits for somebody, of one platform or of all."""


SOURCE_TEXT_CHARS = 4_000
"""What one finding may say at most."""


class Source(Protocol):
    """One place that data comes from."""

    @property
    def name(self) -> str:
        """Return the registry name of the source."""

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject.

        Never raises a ``SourceError`` outwards: what could not be read comes back as a ``Gap``.
        """


class Collect(Protocol):
    """Asks every source that a run type wants."""

    async def __call__(self, subject: Subject) -> Collected:
        """Return findings and gaps; what could not be read is a gap, not an error."""


class RunRequest(BaseModel):
    """What somebody asks for."""

    model_config = ConfigDict(frozen=True)

    run_type: str
    platform_key: str | None = None
    context: JsonValue = None
    trigger: str = "manual"
    idempotency_key: str | None = None
    priority: int = 0
    force: bool = False


class RunTicket(BaseModel):
    """The run that answers a request: made now, or found."""

    model_config = ConfigDict(frozen=True)

    run_id: RunId
    status: RunStatus
    created: bool
    reason: str


class OwnerRequest(BaseModel):
    """What an owner asks for, whose token was verified."""

    model_config = ConfigDict(frozen=True)

    requester: UUID
    run_type: str
    platform_key: str | None = None
    context: JsonValue = None
    idempotency_key: str | None = None


class Acceptance(RunTicket):
    """The run that answers a request, with the claim on it where this worker is to execute it."""

    claim: Claim | None


class EndedRun(BaseModel):
    """A run that has ended, as whoever waited for it is told."""

    model_config = ConfigDict(frozen=True)

    run_id: RunId
    run_type: str
    platform_key: str | None
    status: RunStatus
    summary: str
    appendix: dict[str, JsonValue]
    completed_at: AwareDatetime


class Launch(BaseModel):
    """What became of a request in the time that its caller would wait."""

    model_config = ConfigDict(frozen=True)

    ticket: RunTicket
    ended: EndedRun | None = Field(description="None: the run goes on.")


class Launcher(Protocol):
    """Asks for runs in the name of somebody who waits for the report."""

    async def launch(self, request: OwnerRequest) -> Launch:
        """Ask for a run and wait, not for ever, until it has ended. Raises: CallerError, BackendError."""

    async def follow(self, run_id: RunId, *, within: timedelta) -> EndedRun | None:
        """Wait for the end of a run that somebody asked for; None: it goes on."""


class LastRun(BaseModel):
    """The latest finished run of a type."""

    model_config = ConfigDict(frozen=True)

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


class Slot(BaseModel):
    """A moment at which a job was due, and what became of it."""

    model_config = ConfigDict(frozen=True)

    job_key: str
    slot_at: AwareDatetime
    outcome: SlotOutcome
    reason: str | None
    run_id: RunId | None


class Plan(Protocol):
    """The calendar of the jobs. SQL alone fires it; whoever calls only makes it look."""

    async def read_jobs(self) -> Sequence[PlannedJob]:
        """Read the jobs as they stand. Raises: BackendError."""

    async def fire_due(self) -> Sequence[Slot]:
        """Fire what is due; return the slots that this call decided. Raises: BackendError."""


class RunHistory(Protocol):
    """What ran before."""

    async def read_last_runs(self, run_types: Sequence[str]) -> Mapping[str, LastRun]:
        """Read the latest finished run of each type that has one. Raises: BackendError."""


class Journal(Protocol):
    """Events of the business that the screens show, beside those that SQL writes with a run's state."""

    async def write(self, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]) -> None:
        """Write an event. A journal that cannot be written is told in the logs and stops nobody."""


class Announcement(BaseModel):
    """Something that the database wants said to the open pages: a constant."""

    model_config = ConfigDict(frozen=True)

    key: str
    event: str
    payload: dict[str, JsonValue]


class Announcer(Protocol):
    """Tells the open pages what has happened. They are hints: a page that missed one shows the same a little later."""

    def note_end(self, run_type: str, status: RunStatus) -> None:
        """Take note of how an attempt has ended; waits for nobody."""

    async def run(self) -> None:
        """Announce, for ever, until cancelled."""


class QueueState(BaseModel):
    """How the queue stands."""

    model_config = ConfigDict(frozen=True)

    waiting: int
    running: int
    oldest_due_seconds: float


class Heartbeat(BaseModel):
    """What a worker tells of itself with each renewal."""

    model_config = ConfigDict(frozen=True)

    version: str
    concurrency: int
    realtime: str
    started_at: AwareDatetime


class Rescue(BaseModel):
    """What a rescue put right."""

    model_config = ConfigDict(frozen=True)

    requeued: int
    failed: int
    adopted: int
    dropped: int

    @property
    def did_nothing(self) -> bool:
        """Tell whether all was well."""
        return not (self.requeued or self.failed or self.adopted or self.dropped)


class Purge(BaseModel):
    """What a purge of old rows did."""

    model_config = ConfigDict(frozen=True)

    deleted: int
    more: bool


class RunLine(BaseModel):
    """One line of a list of runs."""

    model_config = ConfigDict(frozen=True)

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


class LogLine(BaseModel):
    """One row of ``hq.structured_logs``."""

    model_config = ConfigDict(frozen=True)

    id: str
    level: str
    source: str
    message: str
    metadata: JsonValue
    run_id: RunId | None
    created_at: AwareDatetime


class FinanceSnapshot(BaseModel):
    """What the company earned on one day of Paris: measured that day, or found out later from Stripe's dates."""

    model_config = ConfigDict(frozen=True)

    day: date
    taken_at: AwareDatetime
    measured: bool
    currency: str
    mrr: Decimal
    active_subscriptions: int
    churn_rate: Decimal = Field(description="Percent of the subscribers, over the thirty days that end there.")
    figures: dict[str, JsonValue] | None = Field(default=None, description="All that was told, if it was measured.")


class FinanceHistory(Protocol):
    """The company's earnings, day by day."""

    async def read(self, since: date) -> Sequence[FinanceSnapshot]:
        """Read the days since then, newest first. Raises: BackendError."""

    async def record(self, snapshots: Sequence[FinanceSnapshot]) -> None:
        """Keep days: a measured one replaces what was known of its day, another only fills a gap. Idempotent.

        Raises: BackendError.
        """


CheckState = Literal["green", "amber", "red"]


class SiteCheck(BaseModel):
    """How a platform's site answered, once."""

    model_config = ConfigDict(frozen=True)

    platform_key: str
    url: str
    status: CheckState
    status_code: int | None
    response_ms: int | None
    reason: str | None = Field(description="French: what is wrong, if something is.")
    checked_at: AwareDatetime


class SiteLog(Protocol):
    """Where checks of sites are kept, from which the platforms' state and uptime follow."""

    async def record_checks(self, checks: Sequence[SiteCheck]) -> None:
        """Keep checks and what follows from them. Raises: BackendError."""


class Check(BaseModel):
    """One line of the doctor."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: CheckState
    detail: str


class RunStore(Protocol):
    """The runs, as a worker needs them. Every write is fenced by a lease; ``LeaseLost`` means: stop, write nothing."""

    async def claim(self, limit: int, type_slots: Mapping[str, int]) -> list[Claim]:
        """Take the next due runs."""

    async def request(self, request: OwnerRequest, *, claim: bool) -> Acceptance:
        """Ask for a run, and take it at once if told to. Raises: the CallerError that the database meant."""

    async def read_ended(self, run_id: RunId) -> EndedRun | None:
        """Read a run, if it has ended."""

    async def checkpoint(self, lease: Lease, step: StepRecord, usage: Usage) -> None:
        """Keep a finished step and what was billed so far. Raises: LeaseLost."""

    async def settle(self, lease: Lease, settlement: Settlement, usage: Usage) -> RunStatus:
        """End an attempt. Raises: LeaseLost."""

    async def renew(self, leases: Sequence[Lease], realtime: str) -> Mapping[RunId, LeaseState]:
        """Renew leases and note that the worker lives."""

    async def release(self, attempts: Sequence[tuple[Lease, Usage]]) -> int:
        """Hand runs back without counting an attempt, and note what they billed."""

    async def rescue(self) -> Rescue:
        """Put right what died or was changed by hand."""

    async def purge(self) -> Purge:
        """Delete one batch of old logs, where nothing else has done so for a day."""

    async def fire_due(self) -> Sequence[Slot]:
        """Fire what is due of the plan; return the slots that this call decided."""

    async def read_platforms(self, platform_key: str | None) -> tuple[Platform, ...]:
        """Read the managed platforms, or one of them."""


class WakeupState(StrEnum):
    """How wake-ups reach this worker."""

    LIVE = "live"
    DEGRADED = "degraded (polling)"


class Wakeups(Protocol):
    """Hints that something changed. They carry no truth."""

    @property
    def state(self) -> WakeupState:
        """Tell whether hints arrive."""

    async def watch(self, *, look: Callable[[], None], check_leases: Callable[[], None]) -> None:
        """Call ``look`` when work may wait, ``check_leases`` when a run was cancelled; for ever, until cancelled."""


class RunExecutor(Protocol):
    """Does the work of one claimed run."""

    def __call__(self, claim: Claim, meter: Meter) -> Awaitable[Settlement]:
        """Execute the claim and return how the attempt ends. Raises: LeaseLost."""


class Caller(BaseModel):
    """A person whose token was verified."""

    model_config = ConfigDict(frozen=True)

    user_id: UUID
    is_owner: bool


class Identity(Protocol):
    """Tells who is calling."""

    async def identify(self, token: str) -> Caller:
        """Verify a bearer token. Raises: Unauthenticated; BackendError when nobody could tell."""


class Signal(BaseModel):
    """Something that may call for a run beside the plan. Its texts are foreign."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["failure", "red", "overdue"]
    subject: str
    detail: str | None = None


class Candidate(BaseModel):
    """A run type that the rules allow the autopilot to add now."""

    model_config = ConfigDict(frozen=True)

    run_type: str
    label: str


class PlannedRun(BaseModel):
    """What the plan launched in the current hour of Paris."""

    model_config = ConfigDict(frozen=True)

    job: str
    status: RunStatus
    summary: str | None = None


class DecisionStanding(StrEnum):
    """Whose a decision is."""

    DECIDE = "decide"
    IN_PROGRESS = "in_progress"
    RECENT = "recent"
    OFF = "off"


class Opening(BaseModel):
    """What one is told who asks to decide: the situation, or the decision that there is already."""

    model_config = ConfigDict(frozen=True)

    decision_id: int | None = None
    standing: DecisionStanding
    may_ask: bool | None = None
    candidates: tuple[Candidate, ...] | None = None
    signals: tuple[Signal, ...] | None = None
    done: tuple[PlannedRun, ...] | None = None
    pct_used: Decimal | None = None
    is_budget_warned: bool | None = None
    jobs_to_run: tuple[str, ...] | None = None
    reasoning: str | None = None
    next_check_in_minutes: int | None = None


class Verdict(BaseModel):
    """What is to be added to the plan, before the rules have their last word."""

    model_config = ConfigDict(frozen=True)

    decided_by: Literal["rules", "model"]
    reasoning: str
    run_types: tuple[str, ...] = ()
    next_check_in_minutes: int
    refused: tuple[str, ...] = ()


class RecordedDecision(BaseModel):
    """A decision as it stands in the journal."""

    model_config = ConfigDict(frozen=True)

    recorded: bool
    jobs_to_run: tuple[str, ...]
    run_ids: tuple[RunId, ...]
    skipped: tuple[str, ...]
    reasoning: str | None
    next_check_in_minutes: int | None


class JournalledDecision(BaseModel):
    """One line of the autopilot's journal."""

    model_config = ConfigDict(frozen=True)

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
    ) -> Opening:
        """Begin a decision, or learn of the one that there is. Raises: BackendError."""

    async def record(self, decision_id: int, verdict: Verdict, usage: Usage) -> RecordedDecision:
        """Launch what the rules still allow, and write it down. Raises: BackendError."""

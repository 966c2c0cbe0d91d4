"""The autopilot: begin a decision, judge, record it with what it launches. Many may call, one decides.

Who decides, what may be launched and that it happens once are settled in SQL (``begin_hq_decision``,
``record_hq_decision``). A process that dies in between leaves a lease that expires, and nothing launched.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from shared.runs import RunId
from workers.ai_scheduler.decide import CHECK_AGAIN_MINUTES, judge
from workers.ports import (
    UNOBSERVED,
    Clock,
    DecisionContext,
    Decisions,
    DecisionStatus,
    Gateway,
    Meter,
    Observer,
    PlannedRun,
    RecordedDecision,
)
from workers.settings import AutopilotSettings

log = structlog.get_logger(__name__)

IN_PROGRESS: Final = "Une décision est déjà en cours. Son résultat apparaîtra au journal dans un instant."
LOST: Final = "Cette décision a pris trop de temps et n'a rien lancé. La suivante la remplace."

# Several open pages and workers ask every few minutes, independently.
_FRESH: Final = timedelta(seconds=60)
# A lease outlasts the judgement by the time that recording may take, even with the backend away for a while.
_RECORDING: Final = timedelta(seconds=20)
# A worker accepts a slightly younger decision, or every other tick would find the last one too fresh.
_EARLY: Final = 0.8


@dataclass(frozen=True)
class Decided:
    """A decision as its caller gets it. ``launched`` and ``done`` are empty for callers other than its maker."""

    reasoning: str
    next_check_in_minutes: int
    jobs_to_run: Sequence[str] = ()
    launched: Sequence[tuple[str, RunId]] = ()
    done: Sequence[PlannedRun] = ()
    skipped: Sequence[str] = ()


class Autopilot:
    """Decides what to add to the plan.

    Concurrency: any number of callers, in any number of processes.
    """

    def __init__(
        self,
        *,
        decisions: Decisions,
        gateway: Gateway,
        clock: Clock,
        settings: AutopilotSettings,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._decisions = decisions
        self._gateway = gateway
        self._clock = clock
        self._settings = settings
        self._observer = observer

    async def decide(self) -> Decided:
        """Decide for the panel, or return the existing decision. Raises: BackendError."""
        context = await self._decisions.begin("panel", fresh=_FRESH, lease=self._lease)
        if context.status is DecisionStatus.DECIDE:
            return await self._conclude(context)
        return Decided(
            reasoning=context.reasoning or IN_PROGRESS,
            next_check_in_minutes=context.next_check_in_minutes or CHECK_AGAIN_MINUTES,
            jobs_to_run=context.jobs_to_run or (),
        )

    async def tick(self) -> None:
        """Decide because it is time to, if the presidency has switched the autopilot on. Raises: BackendError."""
        fresh = max(_FRESH, self._settings.every * _EARLY)
        context = await self._decisions.begin("worker", fresh=fresh, lease=self._lease, only_if_enabled=True)
        if context.status is DecisionStatus.DECIDE:
            await self._conclude(context)

    @property
    def _lease(self) -> timedelta:
        return self._settings.decision_timeout + _RECORDING

    async def _conclude(self, context: DecisionContext) -> Decided:
        assert context.decision_id is not None
        meter = Meter()
        decision = await judge(
            context,
            self._gateway,
            meter=meter,
            now=self._clock.now(),
            nonce=secrets.token_hex(8),
            within=self._settings.decision_timeout,
        )
        self._observer.note_bills(meter.bills)
        recorded = await self._decisions.record(context.decision_id, decision, meter.bills)
        log.info(
            "autopilot.decided",
            decision=context.decision_id,
            decided_by=decision.decided_by,
            launched=recorded.jobs_to_run,
            skipped=recorded.skipped,
            cost_eur=str(meter.total.cost_eur),
        )
        return _to_decided(context, recorded)


def _to_decided(context: DecisionContext, recorded: RecordedDecision) -> Decided:
    if not recorded.recorded:
        return Decided(reasoning=LOST, next_check_in_minutes=CHECK_AGAIN_MINUTES)
    return Decided(
        reasoning=recorded.reasoning or "",
        next_check_in_minutes=recorded.next_check_in_minutes or CHECK_AGAIN_MINUTES,
        jobs_to_run=recorded.jobs_to_run,
        launched=tuple(zip(recorded.jobs_to_run, recorded.run_ids, strict=True)),
        done=context.done or (),
        skipped=recorded.skipped,
    )

"""Claims to execute, and the small world around one execution: a store, a gateway and a source that do as told."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from shared.findings import Collected, Finding
from shared.registry import ModelTier, find_run_type
from shared.runs import Claim, Lease, LeaseState, RunId, RunStatus, Settlement, StepRecord
from workers.ports import (
    Acceptance,
    Answer,
    Bills,
    EndedRun,
    Message,
    Meter,
    OwnerRequest,
    Platform,
    ReportInputs,
    Rescue,
    Retries,
    Subject,
    Usage,
    WakeupFault,
)

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
FINDING = Finding(source="github", label="GitHub · NEARVITY", text="Trois tickets ouverts.", read_at=NOW)
COLLECTED = Collected(findings=(FINDING,))
REPORT = "\n\n".join(
    f"## {section.title}\n\nLes données lues montrent trois tickets ouverts sur la plateforme NEARVITY [S1]."
    for section in find_run_type("PLATFORM_STATUS_REVIEW").sections
)
ANSWER = Answer(text=REPORT, model="google/gemini-2.5-flash", fallback_used=False)
BILL = Usage(model="google/gemini-2.5-flash", calls=1, tokens_in=700, tokens_out=300, cost_eur=Decimal("0.01"))


def make_claim(run_type: str = "PLATFORM_STATUS_REVIEW", **fields: Any) -> Claim:
    """Make a claim of a first attempt; every one has an id of its own."""
    usual = {
        "run_id": RunId(uuid4()),
        "lease_token": 1,
        "run_type": run_type,
        "platform_key": None,
        "attempt": 1,
        "max_attempts": 3,
        "trigger": "manual",
        "requester": "sql",
        "context": {},
        "checkpoints": {},
        "created_at": NOW,
    }
    return Claim.model_validate(usual | fields)


class FakeStore:
    """Remembers what was written, and says no when told to."""

    def __init__(self) -> None:
        self.claims: list[list[Claim]] = []
        self.checkpoints: list[StepRecord] = []
        self.settlements: list[tuple[Claim, Settlement, Bills]] = []
        self.renewals: list[list[Lease]] = []
        self.released: list[tuple[Lease, Bills]] = []
        self.rescues = 0
        self.has_left = False
        self.slots: list[Mapping[str, int]] = []
        self.requests: list[tuple[OwnerRequest, bool]] = []
        self.ended: dict[RunId, EndedRun] = {}
        self.acceptances: list[Acceptance] = []
        self.states: dict[RunId, LeaseState] = {}
        self.statuses: dict[RunId, RunStatus] = {}
        self.faults: dict[str, Callable[[], Awaitable[None]]] = {}
        self.inputs = ReportInputs()

    async def _pass(self, call: str) -> None:
        """Yield, as a call over a network does; do what a test wants to happen in it."""
        await asyncio.sleep(0)
        if call in self.faults:
            await self.faults[call]()

    async def claim(self, limit: int, type_slots: Mapping[str, int]) -> list[Claim]:
        self.slots.append(type_slots)
        await self._pass("claim")
        claims = self.claims.pop(0) if self.claims else []
        assert len(claims) <= limit, "more than the worker asked for"
        return claims

    async def accept(self, request: OwnerRequest, *, claim: bool) -> Acceptance:
        self.requests.append((request, claim))
        await self._pass("accept")
        return self.acceptances.pop(0)

    async def read_ended(self, run_id: RunId) -> EndedRun | None:
        await self._pass("read_ended")
        return self.ended.get(run_id)

    async def read_status(self, run_id: RunId) -> RunStatus:
        await self._pass("read_status")
        return self.statuses[run_id]

    async def checkpoint(self, lease: Lease, step: StepRecord, bills: Bills) -> None:
        del lease, bills
        await self._pass("checkpoint")
        self.checkpoints.append(step)

    async def settle(self, lease: Lease, settlement: Settlement, bills: Bills) -> RunStatus:
        assert isinstance(lease, Claim)
        await self._pass("settle")
        self.settlements.append((lease, settlement, bills))
        return self.statuses.get(lease.run_id, RunStatus.COMPLETED)

    async def renew(
        self, leases: Sequence[Lease], realtime: str, fault: WakeupFault | None
    ) -> Mapping[RunId, LeaseState]:
        del realtime, fault
        self.renewals.append(list(leases))
        await self._pass("renew")
        return {lease.run_id: self.states.get(lease.run_id, LeaseState.HELD) for lease in leases}

    async def leave(self) -> None:
        await self._pass("leave")
        self.has_left = True

    async def release(self, attempts: Sequence[tuple[Lease, Bills]]) -> int:
        await self._pass("release")
        self.released += attempts
        return len(attempts)

    async def rescue(self) -> Rescue:
        self.rescues += 1
        await self._pass("rescue")
        return Rescue(requeued=0, failed=0, adopted=0, dropped=0)

    async def read_inputs(self, claim: Claim) -> tuple[tuple[Platform, ...], ReportInputs]:
        await self._pass("read_inputs")
        return (Platform(key=claim.platform_key or "nearvity", name="NEARVITY", status="green"),), self.inputs


class FakeAnnouncer:
    """Hears which runs have ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, RunStatus]] = []
        self.answers: list[RunId] = []

    def note_end(self, run_type: str, status: RunStatus) -> None:
        self.ends.append((run_type, status))

    def note_answer(self, run_id: RunId) -> None:
        self.answers.append(run_id)

    async def run(self) -> None:
        await asyncio.Event().wait()


class FakeGateway:
    """Answers, or raises, what it was given; counts and bills every call."""

    def __init__(self, *outcomes: Answer | Exception) -> None:
        self.outcomes = list(outcomes) or [ANSWER]
        self.questions: list[Sequence[Message]] = []
        self.chosen: list[tuple[str | None, ...]] = []

    async def ask(
        self,
        tier: ModelTier,
        messages: Sequence[Message],
        *,
        meter: Meter,
        only: str | None = None,
        without: Collection[str] = (),
        retries: Retries | None = None,
    ) -> Answer:
        del tier, retries
        self.questions.append(messages)
        self.chosen.append((only, *without))
        meter.add(BILL)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def breaker_states(self) -> Mapping[str, str]:
        return {"google/gemini-2.5-flash": "HALF_OPEN"}


class FakeCollect:
    """Returns what was collected, and counts how often it was asked."""

    def __init__(self, collected: Collected = COLLECTED) -> None:
        self.collected = collected
        self.calls = 0

    async def __call__(self, subject: Subject) -> Collected:
        assert subject.platforms
        self.calls += 1
        return self.collected


async def fail_with(error: Exception) -> None:
    raise error

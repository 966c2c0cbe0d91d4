"""What is notified to an observer, and the readings of a worker that is monitored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import httpx
from prometheus_client.parser import text_string_to_metric_families

from shared.findings import Gap
from workers.metrics.labels import LabelSets
from workers.metrics.state import Readings
from workers.ports import (
    AttemptEnd,
    BackendCallEnd,
    Bills,
    DeliveryState,
    ModelCallEnd,
    MonthCost,
    QueueState,
    SendOutcome,
)

BUDGET = MonthCost(
    month_cost_eur=Decimal("12.5"),
    target_eur=Decimal(50),
    threshold_pct=Decimal(80),
    pct_used=Decimal(25),
    is_warned=False,
    is_exhausted=False,
)
SETS = LabelSets.of(
    models=["configured/model"], functions=["claim_hq_runs", "settle_hq_run"], kinds=["run_failed", "morning_brief"]
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Notes:
    """An observer that keeps what it is notified of, without the seconds."""

    attempts: list[tuple[str, AttemptEnd, Bills]] = field(default_factory=list)
    bills: list[Bills] = field(default_factory=list)
    model_calls: list[tuple[str, ModelCallEnd]] = field(default_factory=list)
    backend_calls: list[tuple[str, BackendCallEnd]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    deliveries: list[tuple[str, SendOutcome, bool]] = field(default_factory=list)

    def note_attempt(self, run_type: str, end: AttemptEnd, seconds: float, bills: Bills) -> None:
        assert seconds >= 0
        self.attempts.append((run_type, end, bills))

    def note_bills(self, bills: Bills) -> None:
        self.bills.append(bills)

    def note_model_call(self, model: str, end: ModelCallEnd, seconds: float) -> None:
        assert seconds >= 0
        self.model_calls.append((model, end))

    def note_backend_call(self, function: str, end: BackendCallEnd, seconds: float) -> None:
        assert seconds >= 0
        self.backend_calls.append((function, end))

    def note_gaps(self, gaps: Iterable[Gap]) -> None:
        self.gaps.extend(gaps)

    def note_delivery(self, kind: str, outcome: SendOutcome, *, to_device: bool) -> None:
        self.deliveries.append((kind, outcome, to_device))


class Readable:
    """A worker's state, as a test sets it; it counts how often the database is asked."""

    def __init__(self) -> None:
        self.queue = QueueState(waiting=3, running=2, oldest_due_seconds=7.5)
        self.deliveries = [
            DeliveryState(kind="channel", oldest_waiting_seconds=90.5, failures_in_a_row=4),
            DeliveryState(kind="device", oldest_waiting_seconds=0, failures_in_a_row=0),
        ]
        self.breakers: dict[str, str] = {"configured/model": "OPEN"}
        self.is_live = True
        self.asked = {"queue": 0, "deliveries": 0, "budget": 0}
        self.fault: Exception | None = None

    async def _read_queue(self) -> QueueState:
        self.asked["queue"] += 1
        if self.fault is not None:
            raise self.fault
        return self.queue

    async def _read_deliveries(self) -> Sequence[DeliveryState]:
        self.asked["deliveries"] += 1
        if self.fault is not None:
            raise self.fault
        return self.deliveries

    async def _read_budget(self) -> MonthCost:
        self.asked["budget"] += 1
        if self.fault is not None:
            raise self.fault
        return BUDGET

    def _read_breakers(self) -> Mapping[str, str]:
        return self.breakers

    def readings(self) -> Readings:
        """Return where all of it is read."""
        return Readings(
            executing=lambda: 2,
            concurrency=8,
            breaker_states=self._read_breakers,
            is_live=lambda: self.is_live,
            rebuilds=lambda: 4,
            queue=self._read_queue,
            deliveries=self._read_deliveries,
            budget=self._read_budget,
            version="1.2.3+abc1234",
        )


def read_samples(page: str) -> Samples:
    """Read a scraped page: the name and the labels of each sample, with its value."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def sample(samples: Samples, name: str, **labels: str) -> float:
    """Return the value of one sample."""
    return samples[name, frozenset(labels.items())]


async def scrape(url: str) -> httpx.Response:
    """Ask for the page as Prometheus does, without saying which of its formats is preferred."""
    async with httpx.AsyncClient() as http:
        return await http.get(url)

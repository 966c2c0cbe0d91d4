"""What is at the moment of a scrape: read from this process's memory and, now and then, from the database."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared.errors import BackendError
from workers.metrics.labels import ClosedSet
from workers.ports import Clock, DeliveryState, MonthCost, QueueState
from workers.runtime.shared_read import SharedRead

log = structlog.get_logger(__name__)

T = TypeVar("T")

# However often and by however many it is scraped: the database is asked no more often than this.
_QUEUE_KEPT_FOR: Final = timedelta(seconds=10)
_DELIVERIES_KEPT_FOR: Final = timedelta(minutes=1)
_BUDGET_KEPT_FOR: Final = timedelta(minutes=5)
_FAILURE_KEPT_FOR: Final = timedelta(seconds=10)
# A scrape waits ten seconds by default, and what the process knows by itself should come in any case.
_WAIT_SECONDS: Final = 3.0

_BREAKER_STATES: Final = ("closed", "open", "half_open")


@dataclass(frozen=True)
class Readings:
    """How to read each part of the state."""

    executing: Callable[[], int]
    concurrency: int
    breaker_states: Callable[[], Mapping[str, str]]
    is_live: Callable[[], bool]
    rebuilds: Callable[[], int]
    queue: Callable[[], Awaitable[QueueState]]
    deliveries: Callable[[], Awaitable[Sequence[DeliveryState]]]
    budget: Callable[[], Awaitable[MonthCost]]
    version: str
    """The version and the commit, with a plus sign between them."""


class StateCollector(Collector):
    """Renders the state; ``refresh`` comes before each scrape, because a collector cannot await.

    Cost: at most one call of the database per ten seconds for the queue, one per minute for the messages, one per five
    minutes for the budget.
    """

    def __init__(self, readings: Readings, models: ClosedSet, clock: Clock) -> None:
        self._readings = readings
        self._models = models
        self._queue_read = SharedRead[QueueState](
            _QUEUE_KEPT_FOR, clock, failure_ttl=_FAILURE_KEPT_FOR, counted_from="end"
        )
        self._deliveries_read = SharedRead[Sequence[DeliveryState]](
            _DELIVERIES_KEPT_FOR, clock, failure_ttl=_FAILURE_KEPT_FOR, counted_from="end"
        )
        self._budget_read = SharedRead[MonthCost](
            _BUDGET_KEPT_FOR, clock, failure_ttl=_FAILURE_KEPT_FOR, counted_from="end"
        )
        self._queue: QueueState | None = None
        self._deliveries: Sequence[DeliveryState] | None = None
        self._budget: MonthCost | None = None
        self._failing_oddly: set[str] = set()

    async def refresh(self) -> None:
        """Read from the database what is not fresh; what cannot be read is absent from the scrape."""
        reading_queue = self._read("queue", self._queue_read, self._readings.queue)
        reading_deliveries = self._read("deliveries", self._deliveries_read, self._readings.deliveries)
        reading_budget = self._read("budget", self._budget_read, self._readings.budget)
        async with asyncio.TaskGroup() as group:
            queue = group.create_task(reading_queue)
            deliveries = group.create_task(reading_deliveries)
            budget = group.create_task(reading_budget)
        self._queue, self._deliveries, self._budget = queue.result(), deliveries.result(), budget.result()

    async def _read(self, part: str, shared: SharedRead[T], read: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                value = await shared.get(read)
        except (BackendError, TimeoutError):
            return None
        except Exception:
            # The rest of the page is what such a fault is looked for with.
            if part not in self._failing_oddly:
                log.exception("metrics.reading_failed", part=part)
            self._failing_oddly.add(part)
            return None
        self._failing_oddly.discard(part)
        return value

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield self._render_build()
        yield GaugeMetricFamily(
            "emocare_worker_runs", "Runs that this worker executes now.", self._readings.executing()
        )
        yield GaugeMetricFamily(
            "emocare_worker_concurrency", "Runs that this worker executes at once, at most.", self._readings.concurrency
        )
        yield GaugeMetricFamily(
            "emocare_realtime_live",
            "1 while Realtime wakes this worker, 0 while it looks for work every few seconds.",
            self._readings.is_live(),
        )
        yield CounterMetricFamily(
            "emocare_realtime_rebuilds",
            "How often the Realtime subscription was lost and built again.",
            self._readings.rebuilds(),
        )
        yield self._render_breakers()
        yield from self._render_database()

    def _render_build(self) -> Metric:
        version, _, commit = self._readings.version.partition("+")
        family = GaugeMetricFamily(
            "emocare_build_info", "1, labelled with what is running here.", labels=["version", "commit"]
        )
        family.add_metric([version, commit], 1)
        return family

    def _render_breakers(self) -> Metric:
        family = GaugeMetricFamily(
            "emocare_model_breaker_state",
            "1 for the state of the circuit breaker of each model, 0 for the other states.",
            labels=["model", "state"],
        )
        states = {self._models.bound(model): state for model, state in self._readings.breaker_states().items()}
        for model, state in states.items():
            for name in _BREAKER_STATES:
                family.add_metric([model, name], state.lower() == name)
        return family

    def _render_database(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "emocare_database_up",
            "1 when the database's API answered how the queue stands, at this scrape or shortly before it.",
            self._queue is not None,
        )
        if self._queue is not None:
            runs = GaugeMetricFamily(
                "emocare_queue_runs", "Unfinished runs in the queue, of all workers.", labels=["state"]
            )
            runs.add_metric(["waiting"], self._queue.waiting)
            runs.add_metric(["running"], self._queue.running)
            yield runs
            yield GaugeMetricFamily(
                "emocare_queue_oldest_due_seconds",
                "How long the first due run has been waiting; 0 while none is due, or everything is paused.",
                self._queue.oldest_due_seconds,
            )
        if self._deliveries is not None:
            yield from _render_deliveries(self._deliveries)
        if self._budget is not None:
            yield GaugeMetricFamily(
                "emocare_month_cost_eur", "What AI has cost this month, in euros.", float(self._budget.month_cost_eur)
            )
            yield GaugeMetricFamily(
                "emocare_month_budget_eur", "The month's AI budget, in euros.", float(self._budget.target_eur)
            )
            yield GaugeMetricFamily(
                "emocare_month_budget_warned",
                "1 from the share of the budget on that hq.system_config sets for a warning (80 % unless set).",
                self._budget.is_warned,
            )


def _render_deliveries(states: Sequence[DeliveryState]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "emocare_delivery_oldest_waiting_seconds",
        "How long the oldest message that has not reached its channel or its device has been waiting.",
        labels=["target"],
    )
    failures = GaugeMetricFamily(
        "emocare_delivery_failures_in_a_row",
        "Tries that failed since the last message was accepted, at the worst channel and the worst device.",
        labels=["target"],
    )
    for state in states:
        waiting.add_metric([state.kind], state.oldest_waiting_seconds)
        failures.add_metric([state.kind], state.failures_in_a_row)
    yield from (waiting, failures)

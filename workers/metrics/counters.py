"""Counts of what happened since the worker started.

Counters with a bounded number of series start at zero, so that the first event is an increase that a rate can see.
"""

from collections.abc import Iterable
from decimal import Decimal
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.findings import Gap, GapReason
from shared.registry import RUN_TYPES, SourceName
from workers.metrics.labels import ClosedSet, LabelSets
from workers.ports import AttemptEnd, BackendCallEnd, Bills, ModelCallEnd, SendOutcome, Usage

# As the label says them: a retry is more than its status, and a lost lease is one thing, however it was noticed.
_ENDS: Final = {end: end.value for end in AttemptEnd} | {AttemptEnd.RETRY: "retry", AttemptEnd.LOST: "lease_lost"}
_SETTLED: Final = ("completed", "failed", "retry")
_TOKENS: Final = ("input", "cached_input", "output", "reasoning_output")
_FAILURES: Final = tuple(end.value for end in BackendCallEnd if end is not BackendCallEnd.ANSWERED)

# Of a run: a report takes the model half a minute, and RUN_TIMEOUT_SECONDS is ten minutes by default.
_RUN_SECONDS: Final = (0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600)
_MODEL_SECONDS: Final = (0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120)
_CALL_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Counters:
    """An observer that counts.

    Cost: a microsecond or two per note.
    """

    def __init__(self, registry: CollectorRegistry, sets: LabelSets) -> None:
        self._sets = sets
        self._run_types = ClosedSet(RUN_TYPES)
        self._sources = ClosedSet(SourceName)
        self._open_runs(registry)
        self._open_models(registry)
        self._open_calls(registry)

    def _open_runs(self, registry: CollectorRegistry) -> None:
        self._ended = Counter(
            "emocare_runs_ended",
            "Attempts that this worker ended, by type of run and by how they ended.",
            ["run_type", "end"],
            registry=registry,
        )
        _start_at_zero(self._ended, self._run_types.values, dict.fromkeys(_ENDS.values()))
        self._run_seconds = Histogram(
            "emocare_run_seconds",
            "From the claim of a run to the end of the attempt, where it ended in a report, a failure or a retry.",
            ["run_type"],
            buckets=_RUN_SECONDS,
            registry=registry,
        )
        self._leases_lost = Counter(
            "emocare_leases_lost", "Leases that this worker lost while it held them.", registry=registry
        )
        self._gaps = Counter(
            "emocare_source_gaps",
            "What sources were asked for and could not read, by source and reason.",
            ["source", "reason"],
            registry=registry,
        )
        _start_at_zero(self._gaps, self._sources.values, GapReason)

    def _open_models(self, registry: CollectorRegistry) -> None:
        models = self._sets.models.values
        self._model_calls = Counter(
            "emocare_model_calls",
            "Calls of models, by the model that was asked and by how they ended.",
            ["model", "end"],
            registry=registry,
        )
        _start_at_zero(self._model_calls, models, ModelCallEnd)
        self._model_seconds = Histogram(
            "emocare_model_call_seconds",
            "How long a model took for one call, whatever came of it.",
            ["model"],
            buckets=_MODEL_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "emocare_model_tokens",
            "Tokens billed; cached_input is part of input, reasoning_output of output.",
            ["model", "kind"],
            registry=registry,
        )
        _start_at_zero(self._tokens, models, _TOKENS)
        self._cost = Counter(
            "emocare_cost_eur", "Euros billed for models and for searches of the web.", ["model"], registry=registry
        )
        _start_at_zero(self._cost, models)

    def _open_calls(self, registry: CollectorRegistry) -> None:
        self._call_seconds = Histogram(
            "emocare_rpc_seconds",
            "How long the database's API took for one call of a function, whatever came of it.",
            ["function"],
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self._call_failures = Counter(
            "emocare_rpc_failures",
            "Calls of database functions that brought no result: refused, unavailable, or abandoned by the caller.",
            ["function", "reason"],
            registry=registry,
        )
        _start_at_zero(self._call_failures, self._sets.functions.values, _FAILURES)
        self._deliveries = Counter(
            "emocare_deliveries",
            "Tries to send a message by a channel or to a device, by kind of message and outcome.",
            ["kind", "target", "outcome"],
            registry=registry,
        )
        _start_at_zero(self._deliveries, self._sets.kinds.values, ("channel", "device"), SendOutcome)

    def note_attempt(self, run_type: str, end: AttemptEnd, seconds: float, bills: Bills) -> None:
        """Count how an attempt ended, and what it billed."""
        bounded = self._run_types.bound(run_type)
        self._ended.labels(bounded, _ENDS[end]).inc()
        if end.lost_its_lease:
            self._leases_lost.inc()
        if _ENDS[end] in _SETTLED:
            self._run_seconds.labels(bounded).observe(seconds)
        self.note_bills(bills)

    def note_bills(self, bills: Bills) -> None:
        """Count what was billed."""
        for usage in bills:
            self._count_usage(usage)

    def _count_usage(self, usage: Usage) -> None:
        model = self._sets.models.bound(usage.model)
        counts = (usage.tokens_in, usage.tokens_cached, usage.tokens_out, usage.tokens_reasoning)
        for kind, count in zip(_TOKENS, counts, strict=True):
            if count > 0:
                self._tokens.labels(model, kind).inc(count)
        if usage.cost_eur > Decimal(0):
            self._cost.labels(model).inc(float(usage.cost_eur))

    def note_model_call(self, model: str, end: ModelCallEnd, seconds: float) -> None:
        """Count one call of a model."""
        bounded = self._sets.models.bound(model)
        self._model_calls.labels(bounded, end.value).inc()
        self._model_seconds.labels(bounded).observe(seconds)

    def note_backend_call(self, function: str, end: BackendCallEnd, seconds: float) -> None:
        """Count one call of a database function."""
        bounded = self._sets.functions.bound(function)
        self._call_seconds.labels(bounded).observe(seconds)
        if end is not BackendCallEnd.ANSWERED:
            self._call_failures.labels(bounded, end.value).inc()

    def note_gaps(self, gaps: Iterable[Gap]) -> None:
        """Count what the sources of a report could not read."""
        for gap in gaps:
            self._gaps.labels(self._sources.bound(gap.source), gap.reason.value).inc()

    def note_delivery(self, kind: str, outcome: SendOutcome, *, to_device: bool) -> None:
        """Count one try to send a message."""
        target = "device" if to_device else "channel"
        self._deliveries.labels(self._sets.kinds.bound(kind), target, outcome.value).inc()


def _start_at_zero(counter: Counter, *sets: Iterable[str]) -> None:
    for values in product(*sets):
        counter.labels(*map(str, values))

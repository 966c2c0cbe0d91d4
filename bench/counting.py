"""What it costs to be watched: how often a run is counted, what one count costs, and what a scrape costs."""

import os
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import httpx
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from bench.cpu import read_tree
from bench.figures import Figure
from bench.rig import Rig, open_rig
from devstack.processes import choose_port
from workers.metrics.counters import Counters
from workers.metrics.labels import LabelSets
from workers.notifications.sentences import KINDS
from workers.ports import AttemptEnd, BackendCallEnd, ModelCallEnd, Usage

_RUNS: Final = 400
_NOTES: Final = 20_000
_SCRAPES: Final = 200
_SCRAPED_EVERY_SECONDS: Final = 15

# Each note increments one of these once.
_ATTEMPT: Final = "emocare_run_seconds_count"
_MODEL_CALL: Final = "emocare_model_call_seconds_count"
_BACKEND_CALL: Final = "emocare_rpc_seconds_count"


async def counting() -> list[Figure]:
    """Count the notes of real runs, time each kind of note, and compare with what the worker spends on a run."""
    with open_rig() as rig:
        port = choose_port()
        settings = {"METRICS_PORT": str(port), "WORKER_CONCURRENCY": "32", "GITHUB_TOKEN": "", "STRIPE_SECRET_KEY": ""}
        worker = rig.start_worker(**settings, PERPLEXITY_API_KEY="", FIRECRAWL_API_KEY="")
        await rig.until("select count(*) from hq.worker_heartbeats where realtime = 'live'")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await _run(rig, 50)  # connections, plans
            before, began = await _scrape(http), read_tree(worker.pid)
            await _run(rig, _RUNS)
            spent = (read_tree(worker.pid) - began) / _RUNS
            after = await _scrape(http)
            began = read_tree(worker.pid)
            for _ in range(_SCRAPES):
                page = (await http.get("/metrics")).text
            scrape = (read_tree(worker.pid) - began) / _SCRAPES
    notes = {name: (after[name] - before.get(name, 0)) / _RUNS for name in after}
    costs = _time_notes()
    counted = sum(notes[name] * cost for name, cost in costs.items())
    each = ", ".join(f"{notes[name]:.1f} x {cost * 1e6:.1f} µs" for name, cost in costs.items())
    return [
        Figure(
            "counting, of the worker's CPU per run",
            f"{counted / spent:.2%}",
            "< 2 %",
            f"attempts, model calls, calls of the database: {each} = {counted * 1e6:.0f} µs of {spent * 1e3:.1f} ms; "
            f"{_RUNS} runs, load {os.getloadavg()[0]:.0f}",
        ),
        Figure(
            "a scrape, every 15 s",
            f"{scrape * 1e3:.1f} ms of CPU: {scrape / _SCRAPED_EVERY_SECONDS:.3%} of a core",
            "-",
            f"{len(page) / 1024:.0f} KiB, mean of {_SCRAPES}",
        ),
    ]


async def _run(rig: Rig, count: int) -> None:
    rig.queue_runs(count, "REVENUE_FORECAST")
    await rig.until("select (count(*) = 0)::int from hq.run_queue")


async def _scrape(http: httpx.AsyncClient) -> Mapping[str, float]:
    """Return how often each kind of note was made so far."""
    page = (await http.get("/metrics")).text
    counts = dict.fromkeys((_ATTEMPT, _MODEL_CALL, _BACKEND_CALL), 0.0)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in counts:
                counts[sample.name] += sample.value
    return counts


def _time_notes() -> dict[str, float]:
    """Return what each kind of note costs. Units: CPU seconds."""
    counters = Counters(CollectorRegistry(), LabelSets.of(models=["model"], functions=["claim_hq_runs"], kinds=KINDS))
    bill = Usage(
        model="model",
        calls=1,
        tokens_in=700,
        tokens_out=300,
        tokens_cached=9,
        tokens_reasoning=9,
        cost_eur=Decimal("0.01"),
    )
    return {
        _ATTEMPT: _time(lambda: counters.note_attempt("REVENUE_FORECAST", AttemptEnd.COMPLETED, 30.0, (bill,))),
        _MODEL_CALL: _time(lambda: counters.note_model_call("model", ModelCallEnd.ANSWERED, 30.0)),
        _BACKEND_CALL: _time(lambda: counters.note_backend_call("claim_hq_runs", BackendCallEnd.ANSWERED, 0.01)),
    }


def _time(note: Callable[[], None]) -> float:
    began = time.process_time()
    for _ in range(_NOTES):
        note()
    return (time.process_time() - began) / _NOTES

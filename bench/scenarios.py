"""Each scenario measures one promise, on one stack of its own, and returns its figures."""

import asyncio
import random
import signal
import statistics
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from bench.chaos import chaos
from bench.collecting import collecting
from bench.counting import counting
from bench.cpu import WORKER, describe_cost, read_stack
from bench.figures import Figure, format_ms, percentile
from bench.growth import growth, old_snapshot
from bench.kills import kill_storm
from bench.noop import Silence, no_op, settle_noops
from bench.notifying import dead_channels
from bench.retention import retention
from bench.rig import NO_VENDOR, memory_mb, open_rig, open_worker
from bench.soak import soak
from bench.tracing import tracing
from devstack.stack import Tuning
from shared.registry import RUN_TYPES, SourceName
from shared.runs import Claim, Settlement
from workers.ports import Meter
from workers.settings import WorkerSettings

Scenario = Callable[[], Coroutine[Any, Any, list[Figure]]]

_NOOP_RUNS: Final = 3_000
_WHOLE_RUNS: Final = 200
_WAITING_RUNS: Final = 200
_PICKUPS: Final = 12
_HTTP_RUNS: Final = 300
_BETWEEN_RUNS: Final = (0.6, 1.2)
_AT_100: Final = "≥ 120/s, p95 ≤ 1.2 s (stretch 200/s, 600 ms)"
# Those whose sources ask nobody: without its key, a vendor is not called.
_HTTP_TYPES: Final = [
    run_type.key
    for run_type in RUN_TYPES.values()
    if run_type.max_parallel is None and not {SourceName.GITHUB, SourceName.DATABASE_CATALOGUE} & set(run_type.sources)
]


async def noop_throughput() -> list[Figure]:
    """Runs per second of one worker that does nothing but the ledger: claim, steps, bill, settlement, logs."""
    with open_rig() as rig:
        rates = []
        before = read_stack(rig, own=WORKER)
        for _ in range(3):
            rig.empty()
            rates.append(await settle_noops(rig, _NOOP_RUNS))
        after = read_stack(rig, own=WORKER)
        completed = rig.number("select count(*) from hq.runs where status = 'completed'")
    assert completed == _NOOP_RUNS
    middle = statistics.median(rates)
    each = ", ".join(f"{rate:.0f}" for rate in rates)
    detail = f"median of 3 times {_NOOP_RUNS} runs, one process, concurrency 32 ({each})"
    return [
        Figure("no-op runs per second, one worker, full ledger", f"{middle:.0f}/s", "≥ 300/s (stretch 1000)", detail),
        # Requests included, which this scenario makes in SQL.
        describe_cost("no-op", before, after, 3 * _NOOP_RUNS, "-"),
    ]


async def whole_run() -> list[Figure]:
    """A whole run with a model of 0 ms, asked one after the other, at moments of which Realtime knows nothing."""
    moments = random.Random(0)
    with open_rig(tuning=Tuning()) as rig:
        rig.start_worker(**NO_VENDOR)
        await rig.until("select count(*) from hq.worker_heartbeats where realtime = 'live'")
        for _ in range(_WHOLE_RUNS):
            # Right after a change the feed is read at once: a run that is asked for then would flatter.
            await asyncio.sleep(moments.uniform(*_BETWEEN_RUNS))
            (run,) = rig.rows("select run_id from public.request_hq_run('REVENUE_FORECAST', p_force => true)")
            await rig.until("select (status = 'completed')::int from hq.runs where id = %s", run["run_id"])
        spans = rig.rows(
            "select extract(epoch from completed_at - started_at)::float as working,"
            " extract(epoch from started_at - created_at)::float as pickup,"
            " extract(epoch from completed_at - created_at)::float as whole from hq.runs"
        )
    return [
        Figure(
            "claimed → settled, model of 0 ms, no external source (claim, platforms, model, settle)",
            format_ms([span["working"] for span in spans]),
            "p50 ≤ 12 ms for the whole answer by HTTP",
            "one caller",
        ),
        Figure(
            "row inserted → claimed, the same runs",
            format_ms([span["pickup"] for span in spans]),
            "p95 ≤ 500 ms",
            "the feed is read every 100 to 500 ms, as the hosted one is",
        ),
        Figure("row inserted → settled, the same runs", format_ms([span["whole"] for span in spans]), "-"),
    ]


async def wakeup() -> list[Figure]:
    """From the Realtime event reaching this process to the claim's answer."""
    samples: list[float] = []
    with open_rig() as rig:

        async def note(claim: Claim, meter: Meter) -> Settlement:
            samples.append(time.monotonic() - wakeups.heard_at)
            return await no_op(claim, meter)

        wakeups = Silence()
        async with open_worker(rig, note, settings=WorkerSettings(sweep_every=timedelta(hours=1)), wakeups=wakeups):
            await asyncio.sleep(0.5)
            for number in range(1, 201):
                rig.rows("insert into hq.runs (run_type) values ('CODE_REVIEW') returning id")
                wakeups.hear()
                while len(samples) < number:
                    await asyncio.sleep(0.001)
    return [Figure("event received → claimed", format_ms(samples), "p50 ≤ 10 ms", "one claim RPC through the gateway")]


async def pickup_degraded() -> list[Figure]:
    """From a row's insertion to its claim, Realtime dead, production sweep."""
    with open_rig() as rig:
        rig.stack.kill_realtime()
        rig.start_worker()
        await rig.until("select count(*) from hq.worker_heartbeats")
        for number in range(_PICKUPS):
            rig.rows("insert into hq.runs (run_type) values ('CODE_REVIEW') returning id")
            await asyncio.sleep(3.1 + 0.17 * number)  # out of step with the sweep
        await rig.until("select (count(*) = 0)::int from hq.run_queue")
        waits = [
            row["wait"]
            for row in rig.rows("select extract(epoch from started_at - created_at)::float as wait from hq.runs")
        ]
    return [Figure("row inserted → claimed, Realtime dead", format_ms(waits), "≤ 5 s", "sweep of 3.5 s ± 15 %")]


async def memory_waiting() -> list[Figure]:
    """Memory of one worker whose 200 runs all wait on the model, and what the waiting costs the others."""
    with open_rig() as rig:
        worker = rig.start_worker(WORKER_CONCURRENCY=str(_WAITING_RUNS), **NO_VENDOR)
        await rig.until("select count(*) from hq.worker_heartbeats where realtime = 'live'")
        idle = memory_mb(worker.pid)
        await rig.vendors.script("openai", default_delay_ms=20_000)
        rig.queue_runs(_WAITING_RUNS, "REVENUE_FORECAST")
        await rig.vendors.wait_for("openai", calls=_WAITING_RUNS)
        waiting = memory_mb(worker.pid)
        await rig.until("select (count(*) = 0)::int from hq.run_queue")
        peak = memory_mb(worker.pid)
        took = [
            row["took"]
            for row in rig.rows("select extract(epoch from completed_at - started_at)::float as took from hq.runs")
        ]
    return [
        Figure(
            f"memory of a worker with {_WAITING_RUNS} runs waiting on the model",
            f"{waiting:.0f} MiB (idle {idle:.0f}, after {peak:.0f})",
            "≤ 200 MB",
        ),
        Figure("the same runs, over the model's 20 s", format_ms([t - 20 for t in took]), "no added latency"),
    ]


async def rescue() -> list[Figure]:
    """From kill -9 of a worker to the claim by another one, production settings."""
    waits: list[float] = []
    with open_rig() as rig:
        await rig.vendors.script("openai", default_delay_ms=600_000)
        for _ in range(3):
            rig.empty()
            victim, heir = rig.start_worker(), None
            await rig.until("select count(*) from hq.worker_heartbeats where realtime = 'live'")
            rig.queue_runs(8, "REVENUE_FORECAST")
            await rig.until("select (count(*) = 8)::int from hq.run_queue where worker_id is not null")
            heir = rig.start_worker()
            await asyncio.sleep(12)  # at least one renewal: the lease's age is then as in production
            killed = datetime.now(UTC)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            await rig.until(
                "select (count(*) = 8)::int from hq.runs where status = 'running' and started_at > %s", killed
            )
            waits += [
                (row["started_at"] - killed).total_seconds() for row in rig.rows("select started_at from hq.runs")
            ]
            heir.kill()
            heir.wait()
            rig.rows("delete from hq.worker_heartbeats returning 1")
    return [
        Figure(
            "kill -9 → claimed by another worker",
            f"p50 {percentile(waits, 0.5):.1f} s, p99 {percentile(waits, 0.99):.1f} s (n = {len(waits)})",
            "p99 ≤ 40 s",
            "lease 30 s, renewed every 10 s, sweep 3.5 s",
        )
    ]


async def reconnect() -> list[Figure]:
    """From the return of Realtime after an outage of 60 s to a live subscription; the rows of the outage are done."""
    with open_rig(tuning=Tuning()) as rig:
        rig.start_worker()
        await rig.until("select count(*) from hq.worker_heartbeats where realtime = 'live'")
        rig.stack.kill_realtime()
        until = time.monotonic() + 60
        inserted = 0
        while time.monotonic() < until:
            rig.rows("insert into hq.runs (run_type) values ('REVENUE_FORECAST') returning id")
            inserted += 1
            await asyncio.sleep(1)
        rig.stack.start_realtime()
        returned = time.monotonic()
        log = rig.log_of(1)
        before = log.read_text().count("realtime.subscribed")
        while log.read_text().count("realtime.subscribed") == before:
            await asyncio.sleep(0.01)
        took = time.monotonic() - returned
        await rig.until("select (count(*) = 0)::int from hq.run_queue")
        done = rig.number("select count(*) from hq.runs where status = 'completed'")
    assert done == inserted
    return [
        Figure(
            "subscription live again after a Realtime outage of 60 s",
            f"{took:.1f} s, {inserted - done:.0f} of {inserted} runs missed",
            "≤ 5 s, 0 missed",
            "includes the 1 to 3 s that the server takes to begin to read",
        )
    ]


async def http() -> list[Figure]:
    """`executive-run` by HTTP, whole answers, a model of 0 ms: one caller, then many, each of an owner of its own."""
    figures = []
    with open_rig() as rig:
        rig.lift_limits(platforms=12)
        keys = [(key, row["key"]) for row in rig.rows("select key from hq.platforms") for key in _HTTP_TYPES]
        process, url = await rig.start_service(WORKER_CONCURRENCY="100", **NO_VENDOR)
        owners = rig.make_owners(100)
        for callers, target in ((1, "p50 ≤ 12 ms"), (10, "≥ 150/s (stretch 250/s)"), (100, _AT_100)):
            rig.empty()
            count = max(_HTTP_RUNS, 8 * callers)
            await _call_all(url, owners[:callers], keys, 2 * callers)  # connections, tokens, plans
            rig.empty()
            before = read_stack(rig, service=process.pid)
            started = time.monotonic()
            took = await _call_all(url, owners[:callers], keys, count)
            elapsed = time.monotonic() - started
            after = read_stack(rig, service=process.pid)
            settled = rig.number(
                "select count(distinct r.id) from hq.runs as r join hq.run_costs as c on c.run_id = r.id"
                " where r.status = 'completed'"
            )
            figures += [
                Figure(
                    f"executive-run by HTTP, {callers} caller(s), model of 0 ms, no external source",
                    f"{settled / elapsed:.0f}/s, {format_ms(took)}",
                    target,
                    f"{settled:.0f} distinct runs settled; callers, gateway and database on the same machine",
                ),
                describe_cost(f"{callers} caller(s)", before, after, count, "≤ 4.2 ms"),
            ]
        figures.append(Figure("memory of the process afterwards", f"{memory_mb(process.pid):.0f} MiB", "old: 210 MB"))
    return figures


async def _call_all(url: str, owners: list[str], keys: list[tuple[str, str]], count: int) -> list[float]:
    """Let every owner call one request after the other until all are answered; return what each took."""
    took: list[float] = []
    numbers = iter(range(count))

    async def call_on(token: str) -> None:
        # A client of its own, as every page is, and a light one: callers share the two cores with what is measured.
        async with aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as client:
            for number in numbers:
                run_type, platform = keys[number % len(keys)]
                # A context of its own, so that no request is answered with the run before.
                body = {"run_type": run_type, "platform_key": platform, "context_data": {"n": number}}
                started = time.monotonic()
                async with client.post(f"{url}/executive-run", json=body) as answer:
                    text = await answer.text()
                took.append(time.monotonic() - started)
                assert answer.status == HTTPStatus.OK, text

    await asyncio.gather(*map(call_on, owners))
    return took


SCENARIOS: Final[dict[str, Scenario]] = {
    "noop_throughput": noop_throughput,
    "whole_run": whole_run,
    "wakeup": wakeup,
    "pickup_degraded": pickup_degraded,
    "memory_waiting": memory_waiting,
    "rescue": rescue,
    "reconnect": reconnect,
    "http": http,
    "kill_storm": kill_storm,
    "retention": retention,
    "collecting": collecting,
    "dead_channels": dead_channels,
    "growth": growth,
    "counting": counting,
    "tracing": tracing,
    "old_snapshot": old_snapshot,
    "chaos": chaos,
}
# What takes too long to be measured unless somebody asks for it by name.
LONG: Final[dict[str, Scenario]] = {"soak": soak}

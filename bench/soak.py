"""An hour at a steady rate with everything on: what grows, and what does not."""

import asyncio
import contextlib
import json
import os
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Final, NamedTuple

from bench.arrivals import Arrivals, now, rate_between, read_outcome
from bench.figures import Figure
from bench.rig import Rig, memory_mb, open_rig
from bench.supervisor import Supervisor
from devstack.damage import hold_snapshot
from devstack.stack import Tuning
from shared.registry import RUN_TYPES

_MINUTES: Final = float(os.environ.get("BENCH_SOAK_MINUTES", "60"))
_RATE: Final = float(os.environ.get("BENCH_SOAK_RATE", "2"))
_SAMPLES_FILE: Final = os.environ.get("BENCH_SOAK_FILE")
_WORKERS: Final = 2
_SAMPLE_SECONDS: Final = 10
_MODEL_MS: Final = 500
# Shares of the whole: minutes 10 to 20 against 50 to 60 of an hour, the snapshot from 25 to 35.
_FIRST: Final = (10 / 60, 20 / 60)
_LAST: Final = (50 / 60, 1.0)
_SETTLED: Final = (40 / 60, 50 / 60)
_SNAPSHOT: Final = (25 / 60, 35 / 60)

# Client sessions only: what PostgreSQL does by itself, and pg_cron's jobs, come and go.
_SIZES: Final = """
select
  (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
  pg_total_relation_size('hq.run_queue') / 1024.0 as queue_kb,
  (select sum(pg_table_size(oid)) / 1048576.0 from pg_class
    where relnamespace = 'hq'::regnamespace and relkind = 'r') as tables_mb,
  (select sum(pg_indexes_size(oid)) / 1048576.0 from pg_class
    where relnamespace = 'hq'::regnamespace and relkind = 'r') as indexes_mb,
  (select count(*) from hq.run_queue) as waiting,
  (select count(*) from hq.runs where status = 'completed') as settled
"""
_REASONS: Final = """
select coalesce(metadata ->> 'error_code', 'without a code') as code, count(*) from hq.structured_logs
where message = 'run.failed' group by code order by count(*) desc
"""


class Bound(NamedTuple):
    """What may become of a figure between the first window and the last one."""

    what: str
    unit: str
    ratio: float | None  # of the medians; None: it may grow with what is kept
    slack: float = 0.0  # what is no growth whatever the ratio


_BOUNDS: Final = {
    "rss_mb": Bound("memory (RSS) of both workers", "MiB", 1.05),
    "objects": Bound("Python objects in both workers", "", 1.05),
    "tasks": Bound("asyncio tasks in both workers", "", 1.0, 3),
    "threads": Bound("threads of both workers", "", 1.0),
    "descriptors": Bound("file descriptors of both workers", "", 1.0, 2),
    "connections": Bound("connections to PostgreSQL", "", 1.0, 1),
    "waiting": Bound("runs in the queue", "", 1.0, 2 * _RATE),
    "queue_kb": Bound("queue table and its indexes", "KiB", None),
    "tables_mb": Bound("all tables of the HQ", "MiB", None),
    "indexes_mb": Bound("all indexes of the HQ", "MiB", None),
}


class Sample(NamedTuple):
    """What was seen at one moment, as a share of the whole."""

    at: float
    values: dict[str, float]


async def soak() -> list[Figure]:
    """Let runs of every type come at a steady rate; compare the medians of an early window with those of a late one."""
    seconds = _MINUTES * 60
    with open_rig(tuning=Tuning()) as rig, tempfile.TemporaryDirectory(prefix="soak-") as folder:
        kinds = _kinds(rig)
        supervisor = Supervisor(lambda: _start(rig, folder), _WORKERS)
        began, started = time.monotonic(), now()
        loads: list[float] = []
        with supervisor, Arrivals(rig, _RATE, kinds, name="soak") as arrivals, contextlib.ExitStack() as snapshot:
            samples: list[Sample] = []
            for due in range(_SAMPLE_SECONDS, int(seconds) + 1, _SAMPLE_SECONDS):
                await asyncio.sleep(max(0.0, began + due - time.monotonic()))
                share = due / seconds
                _hold_or_release(rig, snapshot, (share - _SAMPLE_SECONDS / seconds, share))
                await _forget_calls(rig, due)
                samples.append(Sample(share, _look(rig, supervisor, folder)))
                loads.append(os.getloadavg()[0])
                _write(samples[-1])
        ended = now()
        await rig.until("select (count(*) = 0)::int from hq.run_queue")
        outcome = read_outcome(rig, arrivals.accepted)
        reasons = ", ".join(f"{row['code']} {row['count']}" for row in rig.rows(_REASONS)) or "none"
        rate = rate_between(rig, started + timedelta(seconds=seconds / 6), ended)
    how = f"{_MINUTES:.0f} min, {arrivals.rate:g} runs/s, {_WORKERS} workers; load {statistics.median(loads):.0f}"
    return [
        *(_compare(name, bound, samples, how) for name, bound in _BOUNDS.items()),
        Figure(
            "lost / doubled / attempts wasted",
            f"{outcome.lost} / {outcome.doubled} / {outcome.wasted} of {outcome.accepted} runs",
            "0 / 0",
            f"completed {rate:.1f}/s (median); failed: {reasons}; workers restarted: {supervisor.restarts}",
        ),
    ]


def _compare(name: str, bound: Bound, samples: list[Sample], how: str) -> Figure:
    first, before, last = (
        statistics.median(sample.values[name] for sample in samples if start < sample.at <= end)
        for start, end in (_FIRST, _SETTLED, _LAST)
    )
    peak = max(sample.values[name] for sample in samples)
    if name == "queue_kb":
        # What a held snapshot leaves behind is filled again, not given back: it must not grow once that is over.
        is_well, target = last <= before * 1.1, "no growth in the last two sixths"
    elif bound.ratio is None:
        is_well, target = True, "grows with what is kept"
    else:
        is_well = last <= max(first * bound.ratio, first + bound.slack)
        target = f"≤ {first * bound.ratio:,.0f}" + (f" (or +{bound.slack:g})" if bound.slack else "")
    value = f"{first:,.1f} → {last:,.1f} {bound.unit} (most {peak:,.1f})"
    return Figure(bound.what, value + ("" if is_well else "  OUT OF BOUNDS"), target, how)


def _kinds(rig: Rig) -> list[tuple[str, str | None]]:
    platforms = [str(row["key"]) for row in rig.rows("select key from hq.platforms order by key")]
    return [(key, platforms[place % len(platforms)]) for place, key in enumerate(RUN_TYPES)]


def _start(rig: Rig, folder: str) -> "Popen[bytes]":
    hook = f"json://{rig.vendors.base_url.removeprefix('http://')}/hook/soak"
    return rig.start_worker(
        command="serve",
        module="bench.watched",
        HTTP_HOST="127.0.0.1",
        PORT="0",
        NOTIFY_URLS=hook,
        WATCHED_FOLDER=folder,
    )


def _hold_or_release(rig: Rig, snapshot: contextlib.ExitStack, passed: tuple[float, float]) -> None:
    before, share = passed
    if before < _SNAPSHOT[0] <= share:
        snapshot.enter_context(hold_snapshot(rig.stack))
    if before < _SNAPSHOT[1] <= share:
        snapshot.close()


async def _forget_calls(rig: Rig, due: int) -> None:
    """Once a minute: the stand-ins keep every call that they received."""
    if due % 60 < _SAMPLE_SECONDS:
        await rig.vendors.reset()
        await rig.vendors.script("openai", default_delay_ms=_MODEL_MS)


def _look(rig: Rig, supervisor: Supervisor, folder: str) -> dict[str, float]:
    (sizes,) = rig.rows(_SIZES)
    inside = [_last_line(Path(folder, f"{pid}.jsonl")) for pid in supervisor.pids]
    return {
        **{name: float(value) for name, value in sizes.items()},
        "rss_mb": sum(map(memory_mb, supervisor.pids)),
        "threads": sum(_count(pid, "task") for pid in supervisor.pids),
        "descriptors": sum(_count(pid, "fd") for pid in supervisor.pids),
        "tasks": sum(each["tasks"] for each in inside),
        "objects": sum(each["objects"] for each in inside),
    }


def _last_line(file: Path) -> dict[str, float]:
    """Return what a worker counted last; zeros where it has not written yet, or not to the end of the line."""
    whole, _, _ = file.read_text().rpartition("\n") if file.exists() else ("", "", "")
    return json.loads(whole.splitlines()[-1]) if whole else {"tasks": 0, "objects": 0}


def _count(pid: int, what: str) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/{what}").iterdir())


def _write(sample: Sample) -> None:
    if _SAMPLES_FILE:
        with Path(_SAMPLES_FILE).open("a") as lines:
            lines.write(json.dumps({"at": round(sample.at, 4)} | sample.values) + "\n")

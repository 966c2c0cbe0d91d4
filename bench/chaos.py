"""Five kinds of damage under fixed arrivals: how soon is everything as before, and what did it cost."""

import asyncio
import contextlib
import functools
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from bench.arrivals import Arrivals, now, rate_between, read_outcome
from bench.figures import Figure
from bench.rig import NO_VENDOR, Rig, open_rig
from bench.supervisor import Supervisor
from devstack.damage import LOCKS, harm_network, restart_postgres, restart_postgrest, stress_postgres
from devstack.network import Network
from devstack.stack import Tuning

_WINDOW: Final = float(os.environ.get("BENCH_CHAOS_SECONDS", "60"))
_CHOSEN: Final = os.environ.get("BENCH_CHAOS", "").split()
_REPAIR_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 300.0
_WORKERS: Final = 3
_MODEL_MS: Final = 200
_CALIBRATION_RUNS: Final = 300
_KIND: Final = ("REVENUE_FORECAST", "emotionscare")
_BETWEEN_KILLS: Final = (3.0, 6.0)


class Target(NamedTuple):
    """Where damage is done."""

    rig: Rig
    supervisor: Supervisor
    network: Network


Damage = Callable[[Target], None]


def _kill_workers(target: Target) -> None:
    chance = random.Random(0)
    ends = time.monotonic() + _WINDOW
    while time.monotonic() < ends:
        time.sleep(chance.uniform(*_BETWEEN_KILLS))
        target.supervisor.kill_one(chance)


def _stress_postgres(target: Target) -> None:
    got = stress_postgres(target.rig.stack, _WINDOW)
    if got < len(LOCKS) / 2:
        raise RuntimeError(f"only {got} of {len(LOCKS)} locks were got: the database was hardly under stress")


_DAMAGES: Final[dict[str, tuple[str, Damage]]] = {
    "workers": ("workers killed in a storm", _kill_workers),
    "postgres": ("PostgreSQL restarted", lambda target: restart_postgres(target.rig.stack, _WINDOW)),
    "postgrest": ("PostgREST restarted", lambda target: restart_postgrest(target.rig.stack, _WINDOW)),
    "network": ("network cut, slowed, silent", lambda target: harm_network(target.network, _WINDOW)),
    "stress": ("PostgreSQL under stress", _stress_postgres),
}


async def chaos() -> list[Figure]:
    """Do one kind of damage after the other, each to a stack of its own."""
    return [await _measure(name) for name in _CHOSEN or _DAMAGES]


async def _measure(name: str) -> Figure:
    what, damage = _DAMAGES[name]
    with _open_target() as target:
        rig = target.rig
        await rig.vendors.script("openai", default_delay_ms=_MODEL_MS)
        sustained = await _calibrate(rig)
        rig.empty()
        with Arrivals(rig, sustained / 2, [_KIND], name=name) as arrivals:
            await asyncio.sleep(_WINDOW / 6)
            start = now()
            await asyncio.sleep(_WINDOW)
            harmed = now()
            await asyncio.to_thread(damage, target)
            repaired = now()
            rig.reconnect()
            seconds = await _await_backlog(rig, repaired)
            resumed = now()
            await asyncio.sleep(_WINDOW)
            end = now()
        await rig.until("select (count(*) = 0)::int from hq.run_queue")
        before, after = rate_between(rig, start, harmed), rate_between(rig, resumed, end)
        outcome = read_outcome(rig, arrivals.accepted)
        supervisor = target.supervisor
    return Figure(
        f"{what}: rate before → after",
        f"{before:.1f} → {after:.1f}/s: {after / before:.2f}; backlog gone {_format_end(seconds)}; "
        f"lost {outcome.lost}, failed {outcome.failed}, doubled {outcome.doubled}, attempts wasted {outcome.wasted}",
        f"≥ 0.95, ≤ {_REPAIR_SECONDS:.0f} s; 0, 0, 0",
        f"{outcome.accepted} runs, half of the {sustained:.0f}/s sustained;"
        f" {(repaired - harmed).total_seconds():.0f} s of damage;"
        f" {supervisor.kills} kills, {supervisor.restarts} restarts; load {os.getloadavg()[0]:.0f}",
    )


@contextlib.contextmanager
def _open_target() -> Iterator[Target]:
    with open_rig(tuning=Tuning()) as rig, Network(rig.stack.gateway_port) as network:
        start = functools.partial(rig.start_worker, SUPABASE_URL=network.url, **NO_VENDOR)
        with Supervisor(start, _WORKERS) as supervisor:
            yield Target(rig, supervisor, network)


async def _calibrate(rig: Rig) -> float:
    """Return how many runs per second the machine sustains just now."""
    await rig.until("select (count(*) = %s)::int from hq.worker_heartbeats where realtime = 'live'", _WORKERS)
    rig.queue_runs(_CALIBRATION_RUNS // 10, _KIND[0])
    await rig.until("select (count(*) = 0)::int from hq.run_queue")
    rig.queue_runs(_CALIBRATION_RUNS, _KIND[0])
    started = time.monotonic()
    await rig.until("select (count(*) = 0)::int from hq.run_queue")
    return _CALIBRATION_RUNS / (time.monotonic() - started)


async def _await_backlog(rig: Rig, repaired: datetime) -> float | None:
    """Return how many seconds after the repair the last run ended that was asked for until then; None: it did not."""
    for _ in range(int(_PATIENCE_SECONDS / 0.5)):
        left = rig.number(
            "select count(*) from hq.run_queue as q join hq.runs as r on r.id = q.run_id where r.created_at <= %s",
            repaired,
        )
        if not left:
            return (now() - repaired) / timedelta(seconds=1)
        await asyncio.sleep(0.5)
    return None


def _format_end(seconds: float | None) -> str:
    return f"not reached within {_PATIENCE_SECONDS:.0f} s" if seconds is None else f"after {seconds:.0f} s"

"""Growth: the same work with a thousand settled runs behind, and with a million of them."""

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import psycopg
from psycopg.types.json import Jsonb

from bench.cpu import read_tree
from bench.figures import Figure, format_ms
from bench.history import YEARS, fill
from bench.noop import settle_noops
from bench.reads import HOSTS, READS, VARIANTS
from bench.rig import NO_VENDOR, Rig, open_rig
from devstack.damage import hold_snapshot

_FEW: Final = 1_000
_MANY: Final = int(os.environ.get("BENCH_SETTLED", "1000000"))
# A folder in which the filled database stays: filling it again takes minutes.
_KEPT: Final = os.environ.get("BENCH_DATA")
_ROUNDS: Final = 5
_SAMPLES: Final = 40
_NOOP_RUNS: Final = 1_500
_HTTP_RUNS: Final = 60
_ENOUGH: Final = 1.2
_READ_TARGET: Final = 0.2
_SLOWEST: Final = 6
# Short, so that whatever else the machine does falls on both sides.
_SNAPSHOT_ROUNDS: Final = 40
_SNAPSHOT_RUNS: Final = 500
# That many rounds are one share of what is printed.
_SNAPSHOT_PART: Final = 4

_SETTLE: Final = """
select public.settle_hq_run(%(run)s, %(token)s, 'completed', '## Rapport', '{}', %(steps)s, %(evidence)s, %(usage)s)
"""
_STEPS: Final = [{"step_order": order, "name": f"Étape {order}", "status": "completed"} for order in range(1, 5)]
_EVIDENCE: Final = [{"evidence_type": "github", "data": {"open": 3}}]
_USAGE: Final = {"model": "no-op", "calls": 1, "cost_eur": "0", "estimated": False} | dict.fromkeys(
    ("tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning"), 1
)
_SETTLED: Final = {"steps": Jsonb(_STEPS), "evidence": Jsonb(_EVIDENCE), "usage": Jsonb(_USAGE)}
# What happens in the database, how often in a round, and with which call: beside a claim and a settlement.
_BESIDE: Final = {
    "rescue sweep": "select * from public.rescue_hq_runs()",
    "the plan's look": "select * from public.enqueue_due_hq_runs()",
}


class _Cost(NamedTuple):
    """What a call cost: seconds of CPU, which a busy machine blurs less than its clock does, and pages."""

    cpu: float
    pages: int


async def growth() -> list[Figure]:
    """Measure what runs do, and what is read of them, with few settled runs behind, and with years of them."""
    with open_rig() as few, open_rig(data_dir=Path(_KEPT) if _KEPT else None) as many:
        sides = (few, many)
        for rig, count in zip(sides, (_FEW, _MANY), strict=True):
            rig.stack.kill_realtime()  # or it would read all that is filled in while we measure
            await asyncio.to_thread(fill, rig, count)
            rig.rows("select hq.keep_cost_months() from generate_series(1, 4)")  # as the purge does, once a month
        # In turn, each first every other time, so that whatever else the machine does falls on both.
        calls: list[dict[str, list[_Cost]]] = [{}, {}]
        rates: list[list[float]] = [[], []]
        for number in range(_ROUNDS):
            for side in (0, 1) if number % 2 else (1, 0):
                for what, costs in (await asyncio.to_thread(_time_calls, sides[side])).items():
                    calls[side].setdefault(what, []).extend(costs)
        for number in range(_ROUNDS):
            for side in (0, 1) if number % 2 else (1, 0):
                rates[side].append(await settle_noops(sides[side], _NOOP_RUNS))
        answers = await _time_answers(few, many)
        reads = await asyncio.to_thread(_time_reads, many)
    few_rate, many_rate = map(statistics.median, rates)
    return [
        *(_compare(what, calls[0][what], calls[1][what]) for what in calls[0]),
        Figure(
            f"no-op runs per second, {_FEW:,} → {_MANY:,} settled runs behind",
            f"{few_rate:.0f} → {many_rate:.0f}/s: ratio {few_rate / many_rate:.2f}",
            f"ratio ≤ {_ENOUGH}",
            f"median of {_ROUNDS} times {_NOOP_RUNS} runs each, in turn; load {os.getloadavg()[0]:.0f}",
        ),
        answers,
        *reads,
    ]


async def old_snapshot() -> list[Figure]:
    """Runs per second behind a transaction that somebody left open, and without one, in turn."""
    with open_rig() as free, open_rig() as held:
        rigs = {"free": free, "held": held}
        took: dict[str, list[float]] = {name: [] for name in rigs}
        cpu: dict[str, list[float]] = {name: [] for name in rigs}
        for rig in rigs.values():
            rig.stack.kill_realtime()
            await settle_noops(rig, _SNAPSHOT_RUNS)
        with hold_snapshot(held.stack):
            for number in range(_SNAPSHOT_ROUNDS):
                for name, rig in list(rigs.items())[:: 1 if number % 2 else -1]:
                    before = _database_cpu(rig)
                    took[name].append(_SNAPSHOT_RUNS / await settle_noops(rig, _SNAPSHOT_RUNS))
                    cpu[name].append(_database_cpu(rig) - before)
    runs = _SNAPSHOT_ROUNDS * _SNAPSHOT_RUNS
    rates = {name: runs / sum(seconds) for name, seconds in took.items()}
    spent = {name: 1000 * sum(seconds) / runs for name, seconds in cpu.items()}
    load = f"load {os.getloadavg()[0]:.0f}"
    return [
        Figure(
            f"runs per second while a snapshot is held for {runs:,} runs",
            f"{rates['held']:.0f}/s, without {rates['free']:.0f}/s: {rates['held'] / rates['free']:.0%}",
            "≥ 80 %",
            f"{_list_shares(took['free'], took['held'])}; {load}",
        ),
        Figure(
            "PostgreSQL's CPU per run meanwhile, requests and vacuum included",
            f"{spent['held']:.2f} ms, without {spent['free']:.2f} ms: {spent['free'] / spent['held']:.0%}",
            "≥ 80 %",
            f"{_list_shares(cpu['free'], cpu['held'])}; {load}",
        ),
    ]


def _database_cpu(rig: Rig) -> float:
    pid = rig.stack.cluster.pid
    assert pid is not None
    return read_tree(pid)


def _list_shares(free: list[float], held: list[float]) -> str:
    """List what a run cost without the snapshot as a share of what it cost with it, part by part."""
    parts = range(0, _SNAPSHOT_ROUNDS, _SNAPSHOT_PART)
    shares = [sum(free[at : at + _SNAPSHOT_PART]) / sum(held[at : at + _SNAPSHOT_PART]) for at in parts]
    return f"by {_SNAPSHOT_PART * _SNAPSHOT_RUNS:,}: {', '.join(f'{share:.0%}' for share in shares)}"


def _compare(what: str, few: list[_Cost], many: list[_Cost]) -> Figure:
    few_pages, many_pages = (statistics.mean(cost.pages for cost in side) for side in (few, many))
    few_cpu, many_cpu = ([cost.cpu for cost in side] for side in (few, many))
    ratio = statistics.median(many_cpu) / statistics.median(few_cpu)
    return Figure(
        f"{what} in the database, {_FEW:,} → {_MANY:,} settled runs behind: CPU",
        f"{format_ms(few_cpu)} → {format_ms(many_cpu)}: ratio of the medians {ratio:.2f}",
        f"ratio ≤ {_ENOUGH}",
        f"pages touched: {few_pages:.0f} → {many_pages:.0f}",
    )


def _time_calls(rig: Rig) -> dict[str, list[_Cost]]:
    """Request, claim and settle one run after the other; return what each call cost."""
    costs: dict[str, list[_Cost]] = {}
    with _session(rig) as session:
        for number in range(_SAMPLES):
            rig.rows("select * from public.request_hq_run('CODE_REVIEW', 'emotionscare', p_force => true)")
            costs.setdefault("claim", []).append(_cost(session, "select * from public.claim_hq_runs('bench', 1, 30)"))
            (lease,) = rig.rows("select run_id, lease_token from hq.run_queue where worker_id = 'bench'")
            given = _SETTLED | {"run": lease["run_id"], "token": lease["lease_token"]}
            costs.setdefault("settlement", []).append(_cost(session, _SETTLE, given))
            if number % 4 == 0:
                for what, query in _BESIDE.items():
                    costs.setdefault(what, []).append(_cost(session, query))
    assert not rig.number("select count(*) from hq.run_queue")
    return costs


async def _time_answers(few: Rig, many: Rig) -> Figure:
    """Whole answers of executive-run to one caller, model of 0 ms, from either side in turn."""
    took: tuple[list[float], list[float]] = ([], [])
    async with contextlib.AsyncExitStack() as stack:
        sides = []
        for rig in (few, many):
            _, url = await rig.start_service(**NO_VENDOR)
            (owner,) = rig.make_owners(1)
            client = aiohttp.ClientSession(headers={"authorization": f"Bearer {owner}"})
            sides.append((await stack.enter_async_context(client), url))
            # A person may ask thirty times an hour. In a database that was kept that is lifted already.
            with contextlib.suppress(LookupError):
                rig.lift_limits(platforms=0)
        for number in range(_HTTP_RUNS + 5):
            for side, (client, url) in enumerate(sides):
                body = {"run_type": "REVENUE_FORECAST", "context_data": {"n": number}}
                started = time.monotonic()
                async with client.post(f"{url}/executive-run", json=body) as answer:
                    text = await answer.text()
                took[side].append(time.monotonic() - started)
                assert answer.status == HTTPStatus.OK, text
    first, second = (side[5:] for side in took)
    ratio = statistics.median(second) / statistics.median(first)
    return Figure(
        f"executive-run by HTTP, one caller, {_FEW:,} → {_MANY:,} settled runs behind",
        f"{format_ms(first)} → {format_ms(second)}: ratio of the medians {ratio:.2f}",
        f"ratio ≤ {_ENOUGH}",
        f"one after the other, a side each in turn; load {os.getloadavg()[0]:.0f}",
    )


def _time_reads(rig: Rig) -> list[Figure]:
    """Every read of ours, and those of the host that its screens call beside them."""
    settled = "select id, run_type from hq.runs where status = %s and created_at < now() - interval '1 d' limit 1"
    (done,), (failed,) = (rig.rows(settled, status) for status in ("completed", "failed"))
    given = {"run": done["id"], "failed": failed["id"], "type": done["run_type"]}
    ours = READS | {name: query for name, (_, query) in VARIANTS.items()}
    (owner,) = rig.make_owners(1)
    with _session(rig) as session:
        costs = {name: _best(session, query, given if "%(" in query else None) for name, query in ours.items()}
        theirs = _time_hosts(session, rig, owner)
    late = [name for name, cost in costs.items() if cost.cpu > _READ_TARGET]
    return [
        Figure(
            f"{len(costs)} reads of ours, {_MANY:,} settled runs of {YEARS} years behind: CPU",
            f"slowest: {_list_slowest(costs)}",
            f"≤ {1000 * _READ_TARGET:.0f} ms each" + (f": missed by {', '.join(late)}" if late else ""),
            f"the least of three; load {os.getloadavg()[0]:.0f}",
        ),
        Figure("the host's own reads, likewise", f"slowest: {_list_slowest(theirs)}", "reported, not changed"),
    ]


def _time_hosts(session: psycopg.Connection, rig: Rig, owner: str) -> dict[str, _Cost]:
    """Call the host's functions, each as far as this host has it, as the owner whose screens do."""
    session.execute("select set_config('request.jwt.claims', %s, false)", [_claims(rig, owner)])
    costs = {}
    for name, query in HOSTS.items():
        with contextlib.suppress(psycopg.errors.UndefinedFunction):
            costs[name] = _best(session, query, None)
    return costs


def _claims(rig: Rig, token: str) -> str:
    (row,) = rig.rows(
        "select convert_from(decode(rpad(translate(split_part(%s, '.', 2), '-_', '+/'), "
        "4 * ceil(length(split_part(%s, '.', 2)) / 4.0)::integer, '='), 'base64'), 'utf-8') as claims",
        token,
        token,
    )
    return str(row["claims"])


def _list_slowest(costs: Mapping[str, _Cost]) -> str:
    slowest = sorted(costs.items(), key=lambda item: -item[1].cpu)[:_SLOWEST]
    return ", ".join(f"{name} {1000 * cost.cpu:.0f} ms ({cost.pages:,} pages)" for name, cost in slowest)


@contextlib.contextmanager
def _session(rig: Rig) -> Iterator[psycopg.Connection]:
    """Open a session whose every statement is executed by its own process, so that its CPU time is all of it."""
    with psycopg.connect(rig.stack.database_url, autocommit=True) as session:
        session.execute("set max_parallel_workers_per_gather = 0")
        yield session


def _best(session: psycopg.Connection, query: str, given: Mapping[str, Any] | None) -> _Cost:
    return min((_cost(session, query, given) for _ in range(3)), key=lambda cost: cost.cpu)


def _cost(session: psycopg.Connection, query: str, given: Mapping[str, Any] | None = None) -> _Cost:
    """Call a function; return what its process computed for it, and how many pages it touched, as PostgreSQL says."""
    before = _cpu_of(session)
    answer = session.execute(f"explain (analyze, buffers, format json) {query}".encode(), given).fetchone()
    cpu = _cpu_of(session) - before
    assert answer is not None
    ((explained,),) = answer
    plan = explained["Plan"]
    return _Cost(cpu, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _cpu_of(session: psycopg.Connection) -> float:
    """Read what the session's process on the server has computed so far. Units: seconds."""
    spent, *_ = Path(f"/proc/{session.info.backend_pid}/schedstat").read_text().split()
    return int(spent) / 1e9

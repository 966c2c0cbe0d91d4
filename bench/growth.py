"""Growth: the same work with a thousand settled runs behind, and with years of them."""

import asyncio
import os
import statistics
from typing import Final, NamedTuple

from psycopg.types.json import Jsonb

from bench.figures import Figure, format_ms
from bench.noop import settle_noops
from bench.rig import Rig, open_rig

_FEW: Final = 1_000
_MANY: Final = int(os.environ.get("BENCH_SETTLED", "200000"))
_AT_ONCE: Final = 50_000
_ROUNDS: Final = 5
_SAMPLES: Final = 60
_NOOP_RUNS: Final = 1_500
_ENOUGH: Final = 1.2

_STEPS: Final = [{"step_order": order, "name": f"Étape {order}", "status": "completed"} for order in range(1, 5)]
_EVIDENCE: Final = [{"evidence_type": "github", "data": {"open": 3}}]
_USAGE: Final = {"model": "no-op", "calls": 1, "cost_eur": "0", "estimated": False} | dict.fromkeys(
    ("tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning"), 1
)


class _Cost(NamedTuple):
    """What a call cost: seconds, which a busy machine blurs, and pages, which it does not."""

    seconds: float
    pages: int


_Calls = tuple[list[_Cost], list[_Cost]]
"""What each claim and each settlement cost."""

_CHOOSE: Final = """
create temp table settled as
select
  gen_random_uuid() as id, t.key as run_type, n,
  now() - interval '3 years' * ((n - 0.5) / %(all)s) as created_at
from generate_series(%(first)s::integer, %(last)s::integer) as n
join (
  select key, row_number() over (order by key) - 1 as place, count(*) over () as types from hq.run_types
) as t on t.place = n %% t.types
"""
# What each run leaves: its request, four steps, evidence, a bill, the audit. Logs are kept for thirty days.
_SETTLE: Final = """
insert into hq.runs (
  id, run_type, platform_key, owner_requested, status, created_at, started_at, completed_at, executive_summary,
  detailed_appendix
)
select
  id, run_type, 'nearvity', true, (case when n % 50 = 0 then 'failed' else 'completed' end)::hq.run_status,
  created_at, created_at + interval '1 s', created_at + interval '20 s', repeat('Tout va bien. ', 40),
  '{"model_used": "no-op", "attempt": 1, "duration_ms": 19000, "cost_estimate": 0.0001}'
from settled;
insert into hq.run_requests (run_id, requester, trigger, context, created_at)
select id, 'bench-' || n % 100, 'manual', jsonb_build_object('n', n), created_at from settled;
insert into hq.run_steps (run_id, step_order, name, description, status, started_at, completed_at, created_at)
select id, place, 'Étape ' || place, 'Lecture des sources', 'completed', created_at, created_at, created_at
from settled cross join generate_series(1, 4) as place;
insert into hq.run_evidence (run_id, evidence_type, data, created_at)
select id, 'github', '{"label": "GitHub", "open": 3}', created_at from settled cross join generate_series(1, 2);
insert into hq.run_costs (
  run_id, lease_token, run_type, platform_key, model, calls, tokens_in, tokens_out, cost_eur, estimated, created_at
)
select
  id, nextval('hq.lease_tokens'), run_type, 'nearvity', 'no-op', 1, 700, 300, 0.0001, true, created_at
from settled;
insert into hq.structured_logs (level, source, message, metadata, run_id, created_at)
select 'info', 'edge_function', message, jsonb_build_object('run_id', id, 'attempt', 1), id, created_at
from settled cross join unnest(array['run.started', 'run.completed']) as message
where created_at > now() - interval '30 days';
insert into hq.audit_logs (actor_type, actor_id, action, resource_type, resource_id, created_at)
select 'owner', 'bench', 'run.created', 'run', id::text, created_at from settled;
drop table settled;
"""
_ANALYZE: Final = (
    "vacuum analyze hq.runs, hq.run_requests, hq.run_steps, hq.run_evidence, hq.run_costs, hq.structured_logs,"
    " hq.audit_logs"
)


async def growth() -> list[Figure]:
    """Measure a claim, a settlement and the throughput with few settled runs behind, and with years of them."""
    with open_rig() as few, open_rig() as many:
        sides = (few, many)
        for rig, count in zip(sides, (_FEW, _MANY), strict=True):
            rig.stack.kill_realtime()  # or it would read all that is filled in while we measure
            await asyncio.to_thread(_fill, rig, count)
        # In turn, each first every other time, so that whatever else the machine does falls on both.
        calls: list[list[_Calls]] = [[], []]
        rates: list[list[float]] = [[], []]
        for number in range(_ROUNDS):
            for side in (0, 1) if number % 2 else (1, 0):
                calls[side].append(await asyncio.to_thread(_time_calls, sides[side]))
        for number in range(_ROUNDS):
            for side in (0, 1) if number % 2 else (1, 0):
                rates[side].append(await settle_noops(sides[side], _NOOP_RUNS))
    few_rate, many_rate = map(statistics.median, rates)
    return [
        *(
            _compare(what, *([cost for each in side for cost in each[kind]] for side in calls))
            for kind, what in enumerate(("claim", "settlement"))
        ),
        Figure(
            f"no-op runs per second, {_FEW:,} → {_MANY:,} settled runs behind",
            f"{few_rate:.0f} → {many_rate:.0f}/s: ratio {few_rate / many_rate:.2f}",
            f"ratio ≤ {_ENOUGH}",
            f"median of {_ROUNDS} times {_NOOP_RUNS} runs each, in turn; load {os.getloadavg()[0]:.0f}",
        ),
    ]


def _compare(what: str, few: list[_Cost], many: list[_Cost]) -> Figure:
    few_pages, many_pages = (statistics.mean(cost.pages for cost in side) for side in (few, many))
    few_times, many_times = ([cost.seconds for cost in side] for side in (few, many))
    ratio = statistics.median(many_times) / statistics.median(few_times)
    return Figure(
        f"{what} in the database, {_FEW:,} → {_MANY:,} settled runs behind",
        f"{format_ms(few_times)} → {format_ms(many_times)}: ratio of the medians {ratio:.2f}",
        f"ratio ≤ {_ENOUGH}",
        f"pages touched: {few_pages:.0f} → {many_pages:.0f}",
    )


def _fill(rig: Rig, count: int) -> None:
    for first in range(1, count + 1, _AT_ONCE):
        given = {"all": count, "first": first, "last": min(first + _AT_ONCE - 1, count)}
        with rig.sql.transaction():
            rig.sql.execute(_CHOOSE.encode(), given)
            rig.sql.execute(_SETTLE.encode())
    rig.sql.execute(_ANALYZE.encode())


def _time_calls(rig: Rig) -> _Calls:
    """Request, claim and settle one run after the other; return what each claim and each settlement cost."""
    claims, settlements = [], []
    for _ in range(_SAMPLES):
        rig.rows("select * from public.request_hq_run('CODE_REVIEW', 'emotionscare', p_force => true)")
        claims.append(_cost(rig, "select * from public.claim_hq_runs('bench', 1, 30)"))
        (lease,) = rig.rows("select run_id, lease_token from hq.run_queue where worker_id = 'bench'")
        settlements.append(
            _cost(
                rig,
                "select public.settle_hq_run(%s, %s, 'completed', '## Rapport', '{}', %s, %s, %s)",
                *lease.values(),
                *map(Jsonb, (_STEPS, _EVIDENCE, _USAGE)),
            )
        )
    assert not rig.number("select count(*) from hq.run_queue")
    return claims, settlements


def _cost(rig: Rig, query: str, *params: object) -> _Cost:
    """Call a function, and let PostgreSQL say how long it took and how many pages it touched, however busy it is."""
    ((answer,),) = (row.values() for row in rig.rows(f"explain (analyze, buffers, format json) {query}", *params))
    plan = answer[0]["Plan"]
    return _Cost(answer[0]["Execution Time"] / 1000, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

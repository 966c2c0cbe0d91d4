"""Whatever odd values one row of a table holds, nothing that we read fails, and no other row is lost.

Generated from the catalogue: each table, each kind of odd value, in every column that can hold it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from support.database import Connection, Row, rows
from support.hq import Hq

from shared.runs import RunId
from workers.backend.client import open_client
from workers.backend.decisions import SupabaseDecisions
from workers.backend.finance_history import SupabaseFinanceHistory
from workers.backend.inspection import SupabaseInspection
from workers.backend.journal import SupabaseJournal
from workers.backend.plan import SupabasePlan
from workers.backend.reader import SupabaseReader
from workers.backend.run_requests import SupabaseRunRequests
from workers.backend.runs import SupabaseRunStore
from workers.clock import SystemClock
from workers.settings import SupabaseSettings, WorkerSettings

# A thousand readings: ten seconds on an idle machine, a minute on one that is shared by many.
pytestmark = pytest.mark.timeout(240)

RUN: Final = "00000000-0000-4000-8000-00000000000{}"
Read = Callable[[], Awaitable[Any]]

# Good rows in every table that anything of ours reads.
ROWS: Final = f"""
insert into hq.runs
  (id, run_type, platform_key, status, created_at, started_at, completed_at, executive_summary, detailed_appendix)
select
  v.id::uuid, v.run_type, v.platform, v.status::hq.run_status, now() - v.ago::interval, now() - v.ago::interval,
  case when v.status <> 'pending' then now() end, 'Bilan', '{{}}'
from (values
  ('{RUN.format(1)}', 'SEO_AUDIT', 'nearvity', 'completed', '2 h'),
  ('{RUN.format(2)}', 'CODE_REVIEW', 'nearvity', 'failed', '1 h'),
  ('{RUN.format(3)}', 'SEO_AUDIT', null, 'completed', '3 h'),
  ('{RUN.format(4)}', 'CODE_REVIEW', null, 'failed', '4 h')
) as v (id, run_type, platform, status, ago);
insert into hq.runs (run_type, status, created_at, started_at)
select 'RELEASE_GATE_CHECK', 'running', now() - interval '1 h', now() - interval '1 h' from generate_series(1, 2);
select hq.request_run('SEO_AUDIT');
select hq.request_run('CODE_REVIEW');
insert into hq.run_costs
  (run_id, run_type, platform_key, model, calls, lease_token, cost_eur, search_cost_eur, estimated)
select r.id, r.run_type, r.platform_key, m.model, 1, 1, 0.02, 0.01, m.model = 'm'
from hq.runs as r, unnest(array['m', 'n']) as m (model) where r.executive_summary = 'Bilan';
insert into hq.run_steps (run_id, step_order, name, output)
select r.id, n, 'x', '{{"wait_ms": 1}}' from hq.runs as r, generate_series(1, 2) as n;
insert into hq.run_evidence (run_id, evidence_type, data)
select r.id, 'x', '{{}}' from hq.runs as r, generate_series(1, 2);
insert into hq.incidents (platform_key, severity, title) values ('nearvity', 'high', 'i1'), ('nearvity', 'high', 'i2');
insert into hq.actions (action_type, title) values ('publish', 'a1'), ('publish', 'a2');
insert into hq.finance_snapshots (day, taken_at, measured, currency, mrr, active_subscriptions, churn_rate, figures)
select current_date - n, now(), true, 'EUR', 100, 1, 0, '{{"read_at": "2026-01-01"}}' from generate_series(0, 2) as n;
insert into hq.structured_logs (level, source, message, run_id)
select 'info', 'system', 'l' || n, '{RUN.format(1)}' from generate_series(1, 3) as n;
insert into hq.worker_heartbeats (worker_id, started_at, seen_at, concurrency, running, version, realtime)
values ('w1', now(), now(), 1, 0, '1', 'LIVE'), ('w2', now(), now(), 1, 0, '1', 'LIVE');
insert into hq.autopilot_decisions
  (state, asked_by, leased_until, decided_at, decided_by, cost_eur, reasoning, next_check_in_minutes)
select 'decided', 'somebody', now(), now() - n * interval '1 day', 'model', 0.01, 'r', 60
from generate_series(1, 2) as n;
insert into hq.structured_logs (level, source, message, metadata)
select 'info', 'system', 'autopilot.decision', jsonb_build_object('decision_id', d.id)
from hq.autopilot_decisions as d;
insert into hq.platform_checks (platform_key, status, status_code, response_ms)
select 'nearvity', 'green', 200, 100 from generate_series(1, 3);
insert into hq.platform_outages (platform_key, incident_id, began_at) select 'nearvity', i.id, now()
from hq.incidents as i limit 1;
insert into hq.announcements (key, event, payload) values ('k1', 'alert', '{{}}'), ('k2', 'alert', '{{}}');
insert into hq.turns (name, worker_id, taken_at, due_at) values ('checks', 'w1', now(), now());
insert into hq.delivery_targets (target, kind, label, since)
values ('t1', 'channel', 'mail', now()), ('t2', 'device', 'push', now());
insert into hq.deliveries (message_key, target) values ('m1', 't1'), ('m2', 't2');
"""

NUMBERS: Final[dict[str, dict[str, str]]] = {
    "no number, and too much": {
        "numeric": "NaN",
        "integer": "2147483647",
        "bigint": "9223372036854775807",
        "jsonb": "1",
    },
    "endless, and too little": {
        "numeric": "Infinity",
        "integer": "-2147483648",
        "bigint": "-9223372036854775808",
        "jsonb": "[1]",
    },
}
# Apart from numbers: a row that is left out for its date hides what is odd in it besides.
INFINITE: Final[dict[str, dict[str, str]]] = {
    "never": {"timestamp with time zone": "infinity", "date": "infinity", "jsonb": "null"},
    "for ever": {"timestamp with time zone": "-infinity", "date": "-infinity"},
}
FAR: Final[dict[str, dict[str, str]]] = {
    "far ahead": {"timestamp with time zone": "20260-01-01", "date": "20260-01-01", "numeric": "9" * 40},
    "before Christ": {
        "timestamp with time zone": "4000-01-01 BC",
        "date": "4000-01-01 BC",
        "jsonb": '{"x": {"y": [null]}}',
    },
}

# What is ours alone and transient, or kept by the host for itself: read by no function of ours that lists it.
_STATEMENTS: Final = {
    "health": "select * from hq.health",
    "failures": "select * from hq.failures",
    "queue": "select * from hq.queue",
    "workers": "select * from hq.workers",
    "costs_by_platform": "select * from hq.costs_by_platform",
    "autopilot_journal": "select * from hq.autopilot_journal",
    "timeline": f"select * from hq.timeline('{RUN.format(1)}')",
    "budget": "select * from hq.budget_state()",
    "signals": "select 'any' as key union all select key from hq.list_signals()",
    "budget as metrics read it": "select * from public.get_hq_budget_state()",
    "queue state": "select * from public.get_hq_queue_state()",
    "delivery state": "select * from public.get_hq_delivery_state()",
    "addition": "select 'any' as key union all select code from hq.refuse_addition('RELEASE_GATE_CHECK')",
    "rescue": "select * from public.rescue_hq_runs()",
    "claim": "select 'any' as key union all select run_type from public.claim_hq_runs('w', 10, 30)",
    "plan": "select 'any' as key union all select job_key from public.enqueue_due_hq_runs()",
    "decision": "select * from public.begin_hq_decision('somebody')",
    "purge": "select hq.purge_rest(100)",
    "logs of long ago": "select * from hq.purge_logs('info', '-infinity', now() - interval '90 days', 100)",
}


def _count(found: Any) -> int:
    """Count rows; what is one thing counts as one."""
    return len(found) if isinstance(found, list | tuple | dict) else 1


def _statement(sql: Connection, query: str) -> Read:
    async def read() -> list[Row]:
        with sql.transaction(force_rollback=True):
            return rows(sql, f"select to_jsonb(q)::text as row from ({query}) as q")

    return read


@pytest.fixture
async def reads(hq: Hq) -> AsyncIterator[dict[str, Read]]:
    """Plant the good rows, and open what reads them."""
    sql = hq.database.sql
    sql.execute(ROWS.encode())
    settings = SupabaseSettings.model_validate(
        {"SUPABASE_URL": hq.stack.url, "SUPABASE_SERVICE_ROLE_KEY": hq.stack.service_role_key}
    )
    async with open_client(settings) as client:
        reader, plan, requests = SupabaseReader(client), SupabasePlan(client), SupabaseRunRequests(client)
        store = SupabaseRunStore(client, worker_id="w", settings=WorkerSettings.model_validate({}), clock=SystemClock())
        run_id = RunId(UUID(RUN.format(1)))
        yield {
            "runs": lambda: requests.list_latest(50, None),
            "run": lambda: requests.read(run_id),
            "ended run": lambda: store.read_ended(run_id),
            "platforms": lambda: store.read_platforms(None),
            "jobs": plan.read_jobs,
            "last runs": lambda: plan.read_last_runs(["SEO_AUDIT", "CODE_REVIEW"]),
            "catalogue": reader.read_catalogue,
            "catalogue counts": reader.count_catalogue,
            "history": lambda: reader.read_run_history(30),
            "history totals": lambda: reader.sum_run_history(30),
            "matters": lambda: reader.read_open_matters(None),
            "matter counts": lambda: reader.count_open_matters(None),
            "costs": reader.read_costs,
            "snapshots": lambda: SupabaseFinanceHistory(client).read(date(2020, 1, 1), figures_since=date(2020, 1, 1)),
            "logs": lambda: SupabaseJournal(client).list_latest(limit=50, run_id=None, level=None, after=None),
            "decisions": lambda: SupabaseDecisions(client, clock=SystemClock()).read_journal(50),
            "checks": lambda: SupabaseInspection(client).check_backend("x", 1),
            **{name: _statement(sql, query) for name, query in _STATEMENTS.items()},
        }


def _columns(sql: Connection) -> dict[str, dict[str, str]]:
    """Return the columns of each table that holds a row, with the type of each."""
    found: dict[str, dict[str, str]] = {}
    query = """
        select c.relname as table, a.attname as column, format_type(a.atttypid, null) as type
        from pg_attribute as a join pg_class as c on c.oid = a.attrelid
        where c.relnamespace = 'hq'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
          and c.relname <> 'worker_migrations'
        order by c.relname, a.attnum
    """
    for row in rows(sql, query):
        found.setdefault(row["table"], {})[row["column"]] = row["type"]
    return {table: columns for table, columns in found.items() if rows(sql, f"select from hq.{table} limit 1")}


# Runs are read by what state they are in.
_STATES: Final = {"runs": ("status = 'completed'", "status = 'running'", "status = 'pending'")}


@contextmanager
def _planted(sql: Connection, table: str, which: str, odd: dict[str, str]) -> Iterator[int]:
    """Make one row odd in each column that takes the value; yield how many did, and put the rows back."""
    took = 0
    at = rows(sql, f"select ctid::text as at from hq.{table} where {which} order by ctid limit 1")[0]["at"]
    with sql.transaction():
        sql.execute("set local session_replication_role = replica")
        sql.execute(f"create temporary table kept as select * from hq.{table} order by ctid")
        for name, value in odd.items():
            try:
                with sql.transaction():
                    query = f"update hq.{table} set {name} = %s where ctid = %s::tid returning ctid::text as at"
                    at = rows(sql, query, value, at)[0]["at"]
                    took += 1
            except (psycopg.errors.DataError, psycopg.errors.IntegrityError, psycopg.errors.GeneratedAlways):
                continue  # the table refuses it
    try:
        yield took
    finally:
        with sql.transaction():
            sql.execute("set local session_replication_role = replica")
            sql.execute(f"delete from hq.{table}")
            sql.execute(f"insert into hq.{table} overriding system value select * from kept")
            sql.execute("drop table kept")


async def _try(reads: dict[str, Read], usual: dict[str, int]) -> dict[str, str]:
    """Return what went wrong, by the name of the reading."""
    wrong = {}
    answers = await asyncio.gather(*(read() for read in reads.values()), return_exceptions=True)
    for name, found in zip(reads, answers, strict=True):
        if isinstance(found, BaseException):
            wrong[name] = repr(found)[:200]
        elif "NaN" in repr(found) or "Infinity" in repr(found):
            wrong[name] = "no number"
        elif (count := _count(found)) < usual[name] - 1:
            wrong[name] = f"{count} of {usual[name]} rows"
    return wrong


@pytest.fixture
def admin(hq: Hq) -> Iterator[Connection]:
    """Open a session that may plant what triggers and foreign keys would mend."""
    with hq.database.connect("supabase_admin") as session:
        yield session


@pytest.mark.parametrize(
    ("kinds", "at_least"), [(NUMBERS, 60), (INFINITE, 60), (FAR, 60)], ids=["numbers", "infinite", "far"]
)
async def test_no_odd_value_costs_more_than_its_row(
    kinds: dict[str, dict[str, str]], at_least: int, admin: Connection, reads: dict[str, Read]
) -> None:
    usual = {name: _count(await read()) for name, read in reads.items()}
    assert all(usual.values()), usual
    wrong: dict[str, str] = {}
    tried = 0
    for table, columns in _columns(admin).items():
        for kind, odd in kinds.items():
            for which in _STATES.get(table, ("true",)):
                values = {name: odd[each] for name, each in columns.items() if each in odd}
                with _planted(admin, table, which, values) as took:
                    found = await _try(reads, usual) if took else {}
                tried += took
                wrong |= {f"{kind} in {table}: {name}": fault for name, fault in found.items()}
    assert wrong == {}
    assert tried >= at_least

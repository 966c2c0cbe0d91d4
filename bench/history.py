"""What years of settled runs leave behind: written by PostgreSQL itself, as fast as it can."""

from typing import Final

import psycopg

from bench.rig import Rig

YEARS: Final = 3
_AT_ONCE: Final = 50_000

# The runs are spread evenly over the years, the types and the platforms; one in fifty failed, one in a hundred was
# cancelled. Their numbers are the same each time.
_CHOOSE: Final = """
create temp table settled as
select
  gen_random_uuid() as id, t.key as run_type, t.requires_approval, p.key as platform_key, n,
  (
    case when n %% 50 = 0 then 'failed' when n %% 100 = 1 then 'cancelled' else 'completed' end
  )::hq.run_status as status,
  now() - %(span)s::interval * ((%(all)s - n + 0.5) / %(all)s) as created_at
from generate_series(%(first)s::integer, %(last)s::integer) as n
join (
  select key, requires_approval, row_number() over (order by key) - 1 as place, count(*) over () as types
  from hq.run_types
) as t on t.place = n %% t.types
left join (
  select key, row_number() over (order by key) as place, count(*) over () as platforms from hq.platforms
) as p on p.place = n / t.types %% (p.platforms + 1)
"""
# What each run leaves: its request and its key, four steps, evidence, a bill, the audit; the action that a person
# decided on, the dead letter that was dealt with. Logs, facts and messages: as long as they are kept.
_SETTLE: Final = """
insert into hq.runs (
  id, run_type, platform_key, owner_requested, status, created_at, started_at, completed_at, executive_summary,
  detailed_appendix
)
select
  id, run_type, platform_key, true, status, created_at, created_at + interval '1 s', created_at + interval '20 s',
  repeat('Tout va bien. ', 40),
  jsonb_build_object('model_used', 'no-op', 'attempt', 1, 'duration_ms', 19000, 'cost_estimate', 0.0001)
  || case status when 'failed' then jsonb_build_object('error_code', 'timeout', 'error_message', 'read timeout')
    else '{}' end
from settled;
insert into hq.run_requests (run_id, requester, trigger, context, idempotency_key, created_at)
select id, 'bench-' || n % 100, case n % 10 when 0 then 'autopilot' else 'manual' end, jsonb_build_object('n', n),
  case when n % 2 = 0 then 'key-' || n end, created_at
from settled;
insert into hq.request_keys (requester, idempotency_key, run_id, created_at)
select 'bench-' || n % 100, 'key-' || n, id, created_at from settled where n % 2 = 0;
insert into hq.run_steps (run_id, step_order, name, description, status, started_at, completed_at, created_at)
select id, place, 'Étape ' || place, 'Lecture des sources', 'completed', created_at, created_at, created_at
from settled cross join generate_series(1, 4) as place;
insert into hq.run_evidence (run_id, evidence_type, data, created_at)
select id, 'github', '{"label": "GitHub", "open": 3}', created_at from settled cross join generate_series(1, 2);
insert into hq.run_costs (
  run_id, lease_token, run_type, platform_key, model, calls, tokens_in, tokens_out, cost_eur, estimated, created_at
)
select
  id, nextval('hq.lease_tokens'), run_type, platform_key, 'model-' || n % 3, 1, 700, 300, 0.0001, n % 2 = 0, created_at
from settled;
insert into hq.audit_logs (actor_type, actor_id, action, resource_type, resource_id, created_at)
select 'owner', 'bench', 'run.created', 'run', id::text, created_at from settled;
insert into hq.actions (run_id, action_type, title, risk_level, status, created_at)
select id, 'run_approval', 'À approuver : ' || run_type, 'high', 'approved', created_at
from settled where requires_approval and status = 'completed';
insert into hq.approvals (action_id, owner_id, decision, decided_at)
select a.id, gen_random_uuid(), 'approved', a.created_at + interval '1 hour'
from hq.actions as a join settled as s on s.id = a.run_id;
insert into hq.structured_logs (level, source, message, metadata, run_id, created_at)
select 'info', 'edge_function', message, jsonb_build_object('run_id', id, 'attempt', 1), id, created_at
from settled cross join unnest(array['run.started', 'run.completed']) as message
where created_at > now() - interval '30 days';
insert into hq.report_facts (run_id, name, subject, unit, source, value, since, seen_at)
select id, 'fact_' || n % 20, coalesce(platform_key, ''), 'EUR', 'stripe', n, created_at, created_at
from settled where created_at > now() - interval '400 days' and n % 4 = 0;
insert into hq.announcements (
  key, event, payload, created_at, sent_at, kind, due_at, message_key, message_due_at, fanned_out_at
)
select
  'run_failed:' || id, 'push', '{}', created_at, created_at, 'run_failed', created_at, 'run_failed:' || id, created_at,
  created_at
from settled where created_at > now() - interval '90 days' and status = 'failed';
insert into hq.deliveries (message_key, target, status, attempt, created_at, ended_at)
select 'run_failed:' || s.id, t.target, 'accepted', 1, s.created_at, s.created_at
from settled as s cross join hq.delivery_targets as t
where s.created_at > now() - interval '90 days' and s.status = 'failed';
"""
_DEAD_LETTERS: Final = """
insert into hq.runs_dlq (
  original_run_id, run_type, platform_key, attempts, failure_reason, status, created_at, resolved_at, next_retry_at
)
select id, run_type, platform_key, 3, 'timeout', 'recovered', created_at, created_at, created_at
from settled where status = 'failed'
"""
# What grows with the days, whatever the runs.
_DAYS: Final = """
insert into hq.autopilot_decisions (
  state, asked_by, began_at, leased_until, decided_at, decided_by, reasoning, journalled, cost_eur
)
select 'decided', 'service', at, at, at, 'rules', 'Rien à faire.', true, 0.0001
from generate_series(now() - %(span)s::interval, now(), interval '1 hour') as at;
insert into hq.plan_slots (job_key, slot_at, outcome, decided_at)
select j.key, at, 'fired', at
from generate_series(now() - %(span)s::interval, now(), interval '1 day') as at cross join hq.scheduled_jobs as j;
insert into hq.finance_snapshots (day, taken_at, measured, currency, mrr, active_subscriptions, churn_rate, figures)
select at::date, at, true, 'EUR', 1000, 100, 2, jsonb_build_object('read_at', at)
from generate_series(now() - %(span)s::interval, now() - interval '1 day', interval '1 day') as at;
insert into hq.platform_checks (platform_key, checked_at, status, status_code, response_ms)
select p.key, at, 'green', 200, 100
from generate_series(now() - interval '30 days', now(), interval '5 minutes') as at cross join hq.platforms as p;
insert into hq.worker_heartbeats (worker_id, version, concurrency, running, realtime, started_at)
values ('bench-history', '1', 8, 0, 'live', now());
"""
_TARGETS: Final = """
insert into hq.delivery_targets (target, kind, label, since)
values ('a', 'channel', 'mail', '-infinity'), ('b', 'channel', 'chat', '-infinity')
"""


def fill(rig: Rig, count: int) -> None:
    """Write so many settled runs, spread over three years, and what they leave, unless that is there already.

    Cost: 4.5 minutes and 4 GB for a million, on two cores without fsync.
    """
    with psycopg.connect(rig.stack.admin_url, autocommit=True) as session:
        if rig.number("select count(*) from hq.runs") >= count:
            # A measurement before this one was interrupted, and left what PostgreSQL has not cleaned up yet.
            session.execute("delete from hq.runs where id in (select run_id from hq.run_queue)")
            session.execute("vacuum analyze")
            return
        # Every row is right as it is written: neither foreign keys nor triggers have anything to add.
        session.execute("set session_replication_role = replica")
        session.execute("set synchronous_commit = off")
        session.execute("set maintenance_work_mem = '256MB'")
        later = _drop_indexes(session)
        given = {"all": count, "span": f"{YEARS} years"}
        session.execute(_TARGETS.encode())
        _execute_each(session, _DAYS, given)
        settle = _SETTLE + (_DEAD_LETTERS if rig.rows("select to_regclass('hq.runs_dlq') as t")[0]["t"] else "")
        for first in range(1, count + 1, _AT_ONCE):
            session.execute(_CHOOSE.encode(), given | {"first": first, "last": min(first + _AT_ONCE - 1, count)})
            session.execute("analyze settled")
            session.execute(settle.encode())
            session.execute("drop table settled")
        for statement in later:
            session.execute(statement.encode())
        session.execute("vacuum analyze")


def _execute_each(session: psycopg.Connection, script: str, given: dict[str, object]) -> None:
    # Several statements at once take no parameters.
    for statement in script.split(";\n"):
        if statement.strip():
            session.execute(statement.encode(), given)


def _drop_indexes(session: psycopg.Connection) -> list[str]:
    """Drop the indexes that no constraint needs, of every table that grows; return what builds them again."""
    found = session.execute(
        """
        select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
        from pg_index as i
        join pg_class as t on t.oid = i.indrelid
        where t.relnamespace = 'hq'::regnamespace
          and t.relname = any (array[
            'runs', 'run_requests', 'request_keys', 'run_steps', 'run_evidence', 'run_costs', 'audit_logs',
            'structured_logs', 'report_facts'
          ])
          and not exists (select from pg_constraint as k where k.conindid = i.indexrelid)
        """
    ).fetchall()
    for name, _ in found:
        session.execute(f"drop index {name}".encode())
    return [definition for _, definition in found]

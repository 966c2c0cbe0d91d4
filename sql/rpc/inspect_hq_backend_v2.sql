-- Examine what our workers need from this database, and whether they are alive: one row per check.
-- Read-only. code identifies the check, subject which of several things it is about; name and detail are for people.
-- state is green, amber (works, not as well) or red (does not work). p_registry_version, p_run_types: the run types
-- that the caller knows; the check is amber where the database's differ.
-- Raises nothing.
create or replace function public.inspect_hq_backend_v2(
  p_registry_version text default null,
  p_run_types bigint default null
)
returns table (code text, subject text, name text, state text, detail text)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query select
    'schema_variant',
    null::text,
    'schema variant',
    'green',
    case when to_regclass('hq.runs_dlq') is null then 'seed (28 February 2026)' else 'head' end;

  return query select
    'log_source',
    null::text,
    'log source executive-run',
    case when c.definition like '%executive-run%' then 'green' else 'amber' end,
    case
      when c.definition like '%executive-run%' then 'accepted'
      else 'refused by the check of hq.structured_logs: logs are kept under edge_function'
    end
  from (
    select string_agg(pg_get_constraintdef(k.oid), ' ') as definition
    from pg_catalog.pg_constraint as k
    where k.conrelid = 'hq.structured_logs'::regclass and k.contype = 'c'
  ) as c;

  return query select
    'realtime_publication',
    null::text,
    'realtime publication',
    case when count(*) > 0 then 'green' else 'amber' end,
    case when count(*) > 0 then 'hq.runs is published' else 'hq.runs is not in supabase_realtime: workers poll' end
  from pg_catalog.pg_publication_tables as p
  where p.pubname = 'supabase_realtime' and p.schemaname = 'hq' and p.tablename = 'runs';

  return query select
    'realtime_grant',
    r.role_name,
    'realtime grant ' || r.role_name,
    case when g.granted then 'green' else 'amber' end,
    case when g.granted then 'usage on hq, select on hq.runs' else 'missing: no event of hq.runs reaches this role' end
  from (values ('authenticated'), ('service_role')) as r (role_name)
  cross join lateral (
    select has_schema_privilege(r.role_name, 'hq', 'usage')
      and has_column_privilege(r.role_name, 'hq.runs', 'id', 'select')
      and has_column_privilege(r.role_name, 'hq.runs', 'status', 'select') as granted
  ) as g;

  return query select
    'runs_trigger',
    null::text,
    'trigger on hq.runs',
    case when count(*) > 0 then 'green' else 'amber' end,
    case
      when count(*) > 0 then 'enabled'
      else 'missing or disabled: rows inserted by hand wait for the next rescue'
    end
  from pg_catalog.pg_trigger as t
  where t.tgrelid = 'hq.runs'::regclass and t.tgname = 'enqueue_inserted_run' and t.tgenabled <> 'D';

  return query select
    'function',
    f.name,
    'function ' || f.name,
    'red',
    case when f.granted is null then 'missing' else 'service_role may not execute it' end || ': run emocare migrate'
  from (
    select m.name, bool_and(has_function_privilege('service_role', p.oid, 'execute')) as granted
    from hq.worker_migrations as m
    left join pg_catalog.pg_proc as p on p.pronamespace = 'public'::regnamespace and p.proname = m.name
    where m.kind = 'function' and m.name not like '\_%'
    group by m.name
  ) as f
  where f.granted is not true
  order by f.name;

  return query select
    'run_types',
    null::text,
    'run types',
    case when k.known = 0 then 'red' when k.are_others then 'amber' else 'green' end,
    format('%s of registry %s', k.known, coalesce(k.versions, 'none'))
    || case
      when k.known > 0 and k.are_others
        then format(', wanted %s of registry %s: run emocare migrate', p_run_types, p_registry_version)
      else ''
    end
  from (
    select
      count(*) as known,
      string_agg(distinct t.registry_version, ', ') as versions,
      count(*) <> p_run_types or bool_or(t.registry_version <> p_registry_version) as are_others
    from hq.run_types as t
  ) as k;

  return query select
    'workers',
    null::text,
    'workers',
    case when count(*) > 0 then 'green' else 'amber' end,
    case
      when count(*) > 0 then format(
        '%s seen in the last minute: %s', count(*), string_agg(distinct format('%s %s', h.version, h.realtime), ', ')
      )
      else 'none seen in the last minute: pending runs wait'
    end
  from hq.worker_heartbeats as h
  where hq.is_recent(h.seen_at, interval '1 minute');

  return query select
    'oldest_waiting_run',
    null::text,
    'oldest waiting run',
    case when min(q.run_at) < now() - interval '1 minute' then 'amber' else 'green' end,
    coalesce('due since ' || date_trunc('second', min(q.run_at)), 'no due run waits')
  from hq.run_queue as q
  join hq.runs as r on r.id = q.run_id
  where q.worker_id is null and q.run_at <= now() and r.status = 'pending';

  return query select
    'large_table_indexes',
    null::text,
    'indexes of the large tables',
    case when count(*) = 0 then 'green' else 'amber' end,
    coalesce(
      'missing: ' || string_agg(w.index, ', ' order by w.index) || '; whole tables are read without them: '
      'run emocare migrate, or the last statements of emocare sql, each alone',
      'all there'
    )
  from (
    values  -- of sql/indexes; an index of the host's that begins with the same columns serves as well
      ('actions_created', 'hq.actions', 'created_at'),
      ('actions_status', 'hq.actions', 'status,created_at'),
      ('approvals_decided', 'hq.approvals', 'decided_at'),
      ('audit_logs_created', 'hq.audit_logs', 'created_at'),
      ('run_evidence_run', 'hq.run_evidence', 'run_id'),
      ('run_steps_run', 'hq.run_steps', 'run_id'),
      ('runs_created', 'hq.runs', 'created_at'),
      ('runs_dlq_run', 'hq.runs_dlq', 'original_run_id'),
      ('runs_ended', 'hq.runs', 'run_type,completed_at'),
      ('structured_logs_created', 'hq.structured_logs', 'created_at')
  ) as w (index, "table", "columns")
  where to_regclass(w.table) is not null
    and not hq.has_index(w.table, string_to_array(w.columns, ','), 'hq.' || w.index);

  return query select
    'log_retention',
    null::text,
    'log retention',
    case when r.days is null then 'red' when m.late then 'amber' else 'green' end,
    case
      when r.days is null
        then 'system_config.log_retention must be {"days": n}, n whole and at least 1: no log is purged'
      else format('%s days, last purge %s', r.days, coalesce('at ' || m.done_at, 'never'))
    end
  from (select hq.read_log_retention() as days) as r
  cross join (
    select max(t.done_at) as done_at, coalesce(max(t.done_at) < now() - interval '26 hours', true) as late
    from hq.maintenance as t
    where t.task = 'purge'
  ) as m;

  return query select
    'odd_rows',
    null::text,
    'odd rows',
    'amber',
    'left out, until somebody corrects them: ' || string_agg(format('%s of %s', o.place, o.key), ', ')
  from hq.find_odd_rows() as o
  having count(*) > 0;

  return query select n.code, n.subject, n.name, n.state, n.detail from hq.inspect_notifications() as n;
  return query select h.code, h.subject, h.name, h.state, h.detail from hq.inspect_host() as h;
  return query select p.code, null::text, p.name, p.state, p.detail from hq.inspect_plan() as p;
  return query select c.code, c.subject, c.name, c.state, c.detail from hq.inspect_cron_jobs() as c;
end
$$;
revoke execute on function public.inspect_hq_backend_v2 from public, anon, authenticated;
grant execute on function public.inspect_hq_backend_v2 to service_role;
comment on function public.inspect_hq_backend_v2 is 'Contrôles de la base dont dépendent les ouvriers.';

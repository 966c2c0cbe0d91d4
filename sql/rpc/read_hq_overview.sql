-- Read what `emocare top` shows, in one round trip: queue, unfinished runs, workers, this month's cost, and, where
-- p_health asks for it, hq.health. It is asked every few seconds, and hq.health costs most: asked less often.
-- Read-only. At most 20 running and 20 waiting runs and 50 workers; the counts beside them are of all. Raises nothing.
create or replace function public.read_hq_overview(p_health boolean default true)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_running constant uuid[] := array(
    select q.run_id from hq.run_queue as q
    where q.worker_id is not null
    -- Looked up, not joined: once the queue was seen long, a join walks through all runs by their age, until it has met
    -- twenty of them in the queue.
    order by (select r.created_at from hq.runs as r where r.id = q.run_id), q.run_id
    limit 20
  );
  v_waiting constant uuid[] := array(
    select q.run_id from hq.run_queue as q where q.worker_id is null order by q.priority desc, q.run_at limit 20
  );
  v_runs jsonb;
  v_workers jsonb;
begin
  select
    coalesce(jsonb_agg(
      jsonb_build_object(
        'run_id', q.execution, 'run_type', q.type, 'platform_key', q.plateforme, 'state', q.etat, 'attempt', q.essai,
        'age_seconds', floor(extract(epoch from q.age))::bigint, 'reason', q.pourquoi, 'worker_id', q.ouvrier,
        'trigger', q.declencheur
      )
      order by array_position(v_running || v_waiting, q.execution)
    ), '[]')
  into v_runs
  from hq.queue as q
  where q.execution = any(v_running || v_waiting);

  select
    coalesce(jsonb_agg(
      jsonb_build_object(
        'worker_id', w.worker_id, 'is_alive', w.is_alive, 'hears_realtime', w.is_alive and w.realtime = 'live',
        'running', w.running, 'concurrency', w.concurrency, 'seen_seconds', w.seen_seconds, 'version', w.version
      )
      order by w.seen_seconds, w.worker_id
    ), '[]')
  into v_workers
  from (
    select
      h.worker_id, h.realtime, h.concurrency, h.version,
      hq.is_recent(h.seen_at, interval '1 minute') as is_alive,
      floor(extract(epoch from now() - hq.clamp_instant(h.seen_at)))::bigint as seen_seconds,
      (select count(*) from hq.run_queue as q where q.worker_id = h.worker_id) as running
    from (select h.* from hq.worker_heartbeats as h order by h.seen_at desc, h.worker_id limit 50) as h
  ) as w;

  return jsonb_build_object(
    'at', now(),
    'queue', (select to_jsonb(s) || jsonb_build_object('is_paused', hq.is_paused())
      from public.get_hq_queue_state() as s),
    'runs', v_runs,
    'workers', v_workers,
    'workers_known', (select count(*) from hq.worker_heartbeats),
    'workers_alive', (select count(*) from hq.worker_heartbeats as h
      where hq.is_recent(h.seen_at, interval '1 minute')),
    'workers_deaf', (select count(*) from hq.worker_heartbeats as h
      where hq.is_recent(h.seen_at, interval '1 minute') and h.realtime <> 'live'),
    'month', (select to_jsonb(b) from hq.budget_state() as b),
    'health', case when p_health then (
      select jsonb_agg(
        jsonb_build_object('name', h.controle, 'state', h.etat, 'sentence', h.phrase, 'detail', h.detail)
      )
      from hq.health as h
    ) end
  );
end
$$;
revoke execute on function public.read_hq_overview from public, anon, authenticated;
grant execute on function public.read_hq_overview to service_role;
comment on function public.read_hq_overview is 'Ce que montre emocare top : '
  'file, exécutions en cours, ouvriers, coût du mois et santé, en un seul appel.';

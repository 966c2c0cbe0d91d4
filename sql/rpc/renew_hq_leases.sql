-- Renew the leases of one worker, [{run_id, lease_token}], in one call, and record its heartbeat. p_heartbeat null: the
-- worker has stopped and is forgotten, so that a silent worker is one that died.
-- Fenced by the lease tokens. Idempotent. Never waits: a run that another session holds is not renewed this time.
-- Raises nothing: where another session holds the heartbeat, the leases are renewed without it. Answers each run's
-- state: held, cancelled (stop, somebody cancelled it) or lost (stop).
create or replace function public.renew_hq_leases(
  p_worker_id text, p_leases jsonb, p_lease_seconds numeric, p_heartbeat jsonb
)
returns table (run_id uuid, state text)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
begin
  begin
    if p_heartbeat is null then
      delete from hq.worker_heartbeats where worker_id = p_worker_id;
    else
      insert into hq.worker_heartbeats (
        worker_id, version, concurrency, running, realtime, realtime_fault, realtime_reason, started_at
      )
      select
        p_worker_id, h.version, h.concurrency, jsonb_array_length(p_leases),
        h.realtime, h.realtime_fault, h.realtime_reason, h.started_at
      from jsonb_to_record(p_heartbeat) as h (
        version text,
        concurrency integer,
        realtime text,
        realtime_fault text,
        realtime_reason text,
        started_at timestamptz
      )
      on conflict (worker_id) do update set
        version = excluded.version,
        concurrency = excluded.concurrency,
        running = excluded.running,
        realtime = excluded.realtime,
        realtime_fault = excluded.realtime_fault,
        realtime_reason = excluded.realtime_reason,
        seen_at = now();
    end if;
  exception when lock_not_available then
    null;
  end;

  return query
  with given as (
    select l.run_id, l.lease_token
    from jsonb_to_recordset(p_leases) as l (run_id uuid, lease_token bigint)
  ),
  free as (
    -- Who waited here could otherwise get "lost" for the run that it settles at this moment.
    select q.run_id
    from given
    join hq.run_queue as q using (run_id, lease_token)
    join hq.runs as r on r.id = q.run_id
    -- Not by the index of the status, which leads to all that ever ran while an old transaction is open.
    where q.worker_id = p_worker_id and (r.status = 'running') is true
    for update of q skip locked
  ),
  renewed as (
    update hq.run_queue as q
    set leased_until = now() + make_interval(secs => p_lease_seconds::double precision)
    from free
    where q.run_id = free.run_id
  )
  select
    given.run_id,
    case
      when q.worker_id = p_worker_id and r.status = 'running' then 'held'
      when r.status = 'cancelled' then 'cancelled'
      else 'lost'
    end
  from given
  left join hq.run_queue as q using (run_id, lease_token)
  left join hq.runs as r on r.id = given.run_id;
end
$$;
revoke execute on function public.renew_hq_leases from public, anon, authenticated;
grant execute on function public.renew_hq_leases to service_role;
comment on function public.renew_hq_leases is 'Renouvelle les baux d''un ouvrier et note qu''il vit.';

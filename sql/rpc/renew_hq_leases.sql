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
-- A plan made while the queue is short would read all of it; while an old transaction is open no dead row of it goes.
set enable_seqscan = off
-- Where nothing but a disabled plan is left, its penalty is above jit_above_cost: each call would JIT-compile it.
set jit = off
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
  with given as materialized (
    select l.run_id, l.lease_token
    from jsonb_to_recordset(p_leases) as l (run_id uuid, lease_token bigint)
  ),
  free as materialized (
    -- Who waited here could otherwise get "lost" for the run that it settles at this moment.
    select q.run_id
    from hq.run_queue as q
    join hq.runs as r on r.id = q.run_id
    -- Each run by its id, not by a join, by its worker or by its status: while an old transaction is open these lead to
    -- all that was ever leased.
    where q.run_id = any (array(select given.run_id from given))
      and exists (select from given where given.run_id = q.run_id and given.lease_token = q.lease_token)
      and (q.worker_id = p_worker_id) is true
      and (r.status = 'running') is true
    for update of q skip locked
  ),
  renewed as (
    update hq.run_queue as q
    set leased_until = now() + make_interval(secs => p_lease_seconds::double precision)
    where q.run_id = any (array(select free.run_id from free))
  ),
  found as (
    select
      given.run_id,
      (
        select q.worker_id from hq.run_queue as q
        where q.run_id = given.run_id and q.lease_token = given.lease_token
      ) as worker_id,
      (select r.status from hq.runs as r where r.id = given.run_id) as status
    from given
  )
  select
    found.run_id,
    case
      when found.worker_id = p_worker_id and found.status = 'running' then 'held'
      when found.status = 'cancelled' then 'cancelled'
      else 'lost'
    end
  from found;
end
$$;
revoke execute on function public.renew_hq_leases from public, anon, authenticated;
grant execute on function public.renew_hq_leases to service_role;
comment on function public.renew_hq_leases is 'Renouvelle les baux d''un ouvrier et note qu''il vit.';

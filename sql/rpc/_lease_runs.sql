-- Lease waiting runs, which the caller has chosen and locked, to one worker; say what each needs to be executed.
-- Part of the caller's transaction. A run that is not pending any more is leased and not returned: rescue puts it
-- right.
-- Raises nothing.
create or replace function hq.lease_runs(p_worker_id text, p_lease_seconds numeric, p_run_ids uuid[])
returns table (
  run_id uuid,
  lease_token bigint,
  run_type text,
  platform_key text,
  attempt integer,
  max_attempts integer,
  trigger text,
  requester text,
  context jsonb,
  checkpoints jsonb,
  created_at timestamptz
)
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
  return query
  with free as materialized (
    -- A run that somebody holds in the SQL editor is left to a later claim.
    select r.id from hq.runs as r where r.id = any (p_run_ids) for no key update skip locked
  ),
  leased as (
    update hq.run_queue as q
    set
      worker_id = p_worker_id,
      leased_until = now() + make_interval(secs => p_lease_seconds::double precision),
      lease_token = nextval('hq.lease_tokens')
    -- As an array, not a join: a join would read the whole index of the ids once the queue is known to be short, and
    -- while an old transaction is open that index leads to every run that was ever in the queue.
    where q.run_id = any (array(select free.id from free))
    returning q.*
  ),
  started as (
    update hq.runs as r
    set
      status = 'running',
      started_at = now(),
      completed_at = null,
      executive_summary = hq.progress_summary('running')
    -- As an array for the same reason. As text: every run was pending once, and the index on the status still leads to
    -- all of them until a vacuum.
    where r.id = any (array(select leased.run_id from leased)) and r.status::text = 'pending'
    returning r.id, r.created_at
  ),
  logged as materialized (
    select
      leased.run_id,
      hq.log_run('info', 'run.started', leased.run_id, jsonb_build_object(
        'attempt', leased.attempt + 1, 'worker_id', p_worker_id, 'lease_token', leased.lease_token
      ))
    from leased
    join started on started.id = leased.run_id
  )
  select
    leased.run_id,
    leased.lease_token,
    leased.run_type,
    leased.platform_key,
    leased.attempt + 1,
    leased.max_attempts,
    request.trigger,
    request.requester,
    request.context,
    (
      select coalesce(jsonb_object_agg(s.name, s.output), '{}')
      from hq.run_steps as s
      where s.run_id = leased.run_id and s.status = 'completed' and s.output is not null
    ),
    coalesce(hq.clamp_instant(started.created_at), now())
  from leased
  join started on started.id = leased.run_id
  join logged on logged.run_id = leased.run_id
  join hq.run_requests as request on request.run_id = leased.run_id
  order by leased.priority desc, leased.run_at;
end
$$;
revoke execute on function hq.lease_runs from public, anon, authenticated;
comment on function hq.lease_runs is 'Confie des exécutions en attente, déjà choisies, à un ouvrier.';

-- Hand the first due runs to one worker, or none; none while runs are paused.
-- p_type_slots bounds a type: {"SEO_AUDIT": 1}.
-- Locks the rows it hands out, skips locked ones. Not idempotent: after a lost answer rescue_hq_runs puts them back.
-- Raises nothing.
create or replace function public.claim_hq_runs(
  p_worker_id text, p_limit integer, p_lease_seconds numeric, p_type_slots jsonb default '{}'
)
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
-- Of a queue that grew since it was last analysed, a bitmap would read and sort all to hand out a few.
set enable_bitmapscan = off
-- Likewise the index of the ids, of a queue that was empty when it was analysed.
set enable_sort = off
-- Of one that was short when the plan was made, the whole; while an old transaction is open no dead row of it goes.
set enable_seqscan = off
-- Where nothing but a disabled plan is left, its penalty is above jit_above_cost: each call would JIT-compile it.
set jit = off
as $$
#variable_conflict use_column
declare
  v_run_ids uuid[];
begin
  if hq.is_paused() then
    return;
  end if;
  with due as materialized (
    select q.run_id, q.run_type, q.priority, q.run_at
    from hq.run_queue as q
    join hq.runs as r on r.id = q.run_id
    where q.worker_id is null
      and q.run_at <= now()
      -- So written that the index of the status does not offer itself: every run was pending once, and while an old
      -- transaction is open that index leads to all of them.
      and (r.status = 'pending') is true
      and coalesce((p_type_slots ->> q.run_type)::integer, 1) > 0
    order by q.priority desc, q.run_at
    limit p_limit
    -- Of the run too: a row that somebody holds in the SQL editor must not hold up every claim of every worker.
    for update of q skip locked for no key update of r skip locked
  ),
  ranked as (
    select
      d.run_id,
      row_number() over (partition by d.run_type order by d.priority desc, d.run_at) as place,
      (p_type_slots ->> d.run_type)::integer as slots
    from due as d
  )
  select array_agg(ranked.run_id) into v_run_ids
  from ranked
  where ranked.slots is null or ranked.place <= ranked.slots;
  return query select l.* from hq.lease_runs(p_worker_id, p_lease_seconds, v_run_ids) as l;
end
$$;
revoke execute on function public.claim_hq_runs from public, anon, authenticated;
grant execute on function public.claim_hq_runs to service_role;
comment on function public.claim_hq_runs is 'Confie les prochaines exécutions dues à un ouvrier.';

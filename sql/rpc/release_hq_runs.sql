-- Hand running runs back to the queue, [{run_id, lease_token, usage}], when a worker stops. No attempt is counted.
-- Fenced by the lease tokens, except for what a lease billed, which is recorded even when the lease is lost.
-- Locks each run in turn, in the order of their ids, as settle_hq_runs. Idempotent.
-- Raises nothing: a run that another session holds waits for its lease to run out. Answers how many went back.
create or replace function public.release_hq_runs(p_leases jsonb)
returns integer
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
declare
  v_lease record;
  v_released integer := 0;
begin
  for v_lease in
    select l.run_id, l.lease_token, l.usage
    from jsonb_to_recordset(p_leases) as l (run_id uuid, lease_token bigint, usage jsonb)
    order by l.run_id
  loop
    begin
      perform hq.record_cost(v_lease.run_id, v_lease.lease_token, v_lease.usage);
      continue when not hq.guard_lease(v_lease.run_id, v_lease.lease_token);
      perform hq.requeue_run(v_lease.run_id, now(), false);
      perform hq.log_run('info', 'run.released', v_lease.run_id, jsonb_build_object(
        'lease_token', v_lease.lease_token
      ));
      v_released := v_released + 1;
    exception when lock_not_available then
      -- However many are held, together they cost one wait.
      perform set_config('lock_timeout', '5ms', true);
    end;
  end loop;
  return v_released;
end
$$;
revoke execute on function public.release_hq_runs from public, anon, authenticated;
grant execute on function public.release_hq_runs to service_role;
comment on function public.release_hq_runs is 'Rend des exécutions à la file quand un ouvrier s''arrête.';

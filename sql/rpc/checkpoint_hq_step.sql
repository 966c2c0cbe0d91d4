-- Keep the outcome of one step of a running run, and what it cost, so that another attempt resumes after it.
-- Fenced by the lease token. Idempotent.
-- Raises 55P03 when another session holds the run: call again. Answers false when the lease is lost: stop.
create or replace function public.checkpoint_hq_step(
  p_run_id uuid, p_lease_token bigint, p_step jsonb, p_usage jsonb default '{}'
)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
-- A run that somebody holds in the SQL editor must not hold a connection for as long.
set lock_timeout = '500ms'
-- A plan made while the queue is short would read all of it; while an old transaction is open no dead row of it goes.
set enable_seqscan = off
-- Where nothing but a disabled plan is left, its penalty is above jit_above_cost: each call would JIT-compile it.
set jit = off
as $$
#variable_conflict use_column
begin
  perform hq.record_cost(p_run_id, p_lease_token, p_usage);
  if not hq.guard_lease(p_run_id, p_lease_token) then
    return false;
  end if;
  perform hq.write_steps(p_run_id, jsonb_build_array(p_step));
  return true;
end
$$;
revoke execute on function public.checkpoint_hq_step from public, anon, authenticated;
grant execute on function public.checkpoint_hq_step to service_role;
comment on function public.checkpoint_hq_step is 'Enregistre une étape terminée d''une exécution en cours.';

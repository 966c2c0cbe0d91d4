-- The one entry point: ask for a run. Returns the run that answers the request, new or found; the reason of one that
-- waits for hq.resume_runs() ends in ', paused'.
-- Idempotent by key, by "one in flight per type and platform" and for ten seconds after the end.
-- Raises HQ001 not allowed, HQ002 unknown type, HQ003 unknown platform, HQ004 too many, HQ005 too large,
-- HQ007 key used for something else.
create or replace function public.request_hq_run(
  p_run_type text,
  p_platform_key text default null,
  p_context jsonb default '{}',
  p_trigger text default 'manual',
  p_idempotency_key text default null,
  p_priority integer default 0,
  p_force boolean default false
)
returns table (run_id uuid, status text, created boolean, reason text)
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_caller text := hq.caller();
begin
  select a.* into run_id, status, created, reason from hq.accept_request(
    v_caller,
    case v_caller when 'owner' then auth.uid()::text else v_caller end,
    p_run_type, p_platform_key, p_context, p_trigger, p_idempotency_key, p_priority, p_force
  ) as a;
  if status = 'pending' and hq.is_paused() then
    reason := reason || ', paused';
  end if;
  return next;
end
$$;
revoke execute on function public.request_hq_run from public, anon, authenticated;
grant execute on function public.request_hq_run to authenticated, service_role;
comment on function public.request_hq_run is
  'Demande une exécution : la porte unique. Rend l''exécution créée ou celle qui répond déjà à la demande.';

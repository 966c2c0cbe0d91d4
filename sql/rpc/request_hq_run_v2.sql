-- Ask for a run. Returns the run that answers the request, made now or found; is_paused says that it waits for
-- hq.resume_runs().
-- Idempotent by key, by "one in flight per type and platform" and for ten seconds after a report, two after a failure.
-- Raises HQ001 not allowed, HQ002 unknown type, HQ003 unknown platform, HQ004 too many, HQ005 too large,
-- HQ007 key used for something else, HQ008 another session holds this type or key.
create or replace function public.request_hq_run_v2(
  p_run_type text,
  p_platform_key text default null,
  p_context jsonb default '{}',
  p_trigger text default 'manual',
  p_idempotency_key text default null,
  p_priority integer default 0,
  p_force boolean default false
)
returns table (run_id uuid, status text, created boolean, reason text, is_paused boolean)
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
  is_paused := status = 'pending' and hq.is_paused();
  return next;
end
$$;
revoke execute on function public.request_hq_run_v2 from public, anon, authenticated;
grant execute on function public.request_hq_run_v2 to authenticated, service_role;
comment on function public.request_hq_run_v2 is
  'Demande une exécution. Rend l''exécution créée ou celle qui répond déjà à la demande, et si tout est en pause.';

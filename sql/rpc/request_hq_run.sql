-- Ask for a run as request_hq_run_v2 does; where its is_paused is true, the reason ends in ', paused'.
-- Deprecated: served until the release after next, because deployed relays call it and read that ending.
-- Idempotent, and locks, as request_hq_run_v2. Raises what request_hq_run_v2 raises.
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
begin
  return query
    select r.run_id, r.status, r.created, concat(r.reason, case when r.is_paused then ', paused' end)
    from public.request_hq_run_v2(
      p_run_type, p_platform_key, p_context, p_trigger, p_idempotency_key, p_priority, p_force
    ) as r;
end
$$;
revoke execute on function public.request_hq_run from public, anon, authenticated;
grant execute on function public.request_hq_run to authenticated, service_role;
comment on function public.request_hq_run is
  'Ancienne forme de request_hq_run_v2, gardée pour les relais déjà déployés : la pause y est écrite dans reason.';

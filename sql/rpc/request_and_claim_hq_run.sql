-- Ask for a run and start it as request_and_claim_hq_run_v2 does; where its is_paused is true, the reason ends in
-- ', paused'.
-- Deprecated: served until the release after next, because deployed workers call it and read that ending.
-- Idempotent, and locks, as request_and_claim_hq_run_v2. Raises what request_and_claim_hq_run_v2 raises.
create or replace function public.request_and_claim_hq_run(
  p_requester uuid,
  p_run_type text,
  p_platform_key text default null,
  p_context jsonb default '{}',
  p_idempotency_key text default null,
  p_worker_id text default null,
  p_lease_seconds numeric default 30
)
returns table (run_id uuid, status text, created boolean, reason text, claim jsonb)
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    select r.run_id, r.status, r.created, concat(r.reason, case when r.is_paused then ', paused' end), r.claim
    from public.request_and_claim_hq_run_v2(
      p_requester, p_run_type, p_platform_key, p_context, p_idempotency_key, p_worker_id, p_lease_seconds
    ) as r;
end
$$;
revoke execute on function public.request_and_claim_hq_run from public, anon, authenticated;
grant execute on function public.request_and_claim_hq_run to service_role;
comment on function public.request_and_claim_hq_run is
  'Ancienne forme de request_and_claim_hq_run_v2, gardée pour les ouvriers déjà déployés.';

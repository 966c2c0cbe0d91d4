-- Ask for a run in the name of an owner whose token the service has verified, and start it in the worker that asks,
-- in one round trip. p_worker_id null: ask only. claim is null where another worker has the run, or will have it,
-- and while runs are paused: then is_paused is true.
-- What p_reads names of read_hq_report_inputs comes along in the claim; where it names nothing, the platforms.
-- As request_hq_run_v2 called with the owner's own token: same keys, same limit. Claims as claim_hq_runs does,
-- ahead of the runs that wait.
-- Raises HQ001 not an owner, and what request_hq_run_v2 raises.
create or replace function public.request_and_claim_hq_run_v2(
  p_requester uuid,
  p_run_type text,
  p_platform_key text default null,
  p_context jsonb default '{}',
  p_idempotency_key text default null,
  p_worker_id text default null,
  p_lease_seconds numeric default 30,
  p_reads jsonb default '{}'
)
returns table (run_id uuid, status text, created boolean, reason text, is_paused boolean, claim jsonb)
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = 'force_generic_plan'
as $$
#variable_conflict use_column
begin
  if not coalesce(public.has_role(p_requester, 'owner'), false) then
    raise exception using
      errcode = 'HQ001',
      message = 'Accès refusé : cette action est réservée à la présidence.',
      hint = 'p_requester must be a user whose role is owner.';
  end if;
  select a.*, null::jsonb into run_id, status, created, reason, claim
  from hq.accept_request(
    'owner', p_requester::text, p_run_type, p_platform_key, p_context, 'manual', p_idempotency_key, 0, false
  ) as a;

  is_paused := status = 'pending' and hq.is_paused();
  if status = 'pending' and not is_paused and p_worker_id is not null then
    select to_jsonb(l) into claim
    from hq.lease_runs(p_worker_id, p_lease_seconds, array(
      select q.run_id from hq.run_queue as q
      where q.run_id = request_and_claim_hq_run_v2.run_id and q.worker_id is null and q.run_at <= now()
      for update skip locked
    )) as l;
    if claim is not null then
      status := 'running';
      -- What the worker would read next comes along.
      claim := claim || case
        when p_reads = '{}' then jsonb_build_object('platforms', (
          select coalesce(jsonb_agg(p order by p.name), '[]')
          from public.read_hq_platforms_v2(claim ->> 'platform_key') as p
        ))
        else jsonb_build_object('inputs', (
          select coalesce(jsonb_agg(i), '[]')
          from public.read_hq_report_inputs(claim ->> 'run_type', claim ->> 'platform_key', p_reads) as i
        ))
      end;
    end if;
  end if;
  return next;
end
$$;
revoke execute on function public.request_and_claim_hq_run_v2 from public, anon, authenticated;
grant execute on function public.request_and_claim_hq_run_v2 to service_role;
comment on function public.request_and_claim_hq_run_v2 is
  'Demande une exécution au nom de la présidence et la confie aussitôt à l''ouvrier qui la demande.';

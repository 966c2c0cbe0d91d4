-- Read one run with its request, steps and bill.
-- Read-only.
-- Raises HQ001 not allowed, HQ006 unknown run.
create or replace function public.get_hq_run(p_run_id uuid)
returns table (
  run_id uuid,
  run_type text,
  platform_key text,
  status text,
  trigger text,
  requester text,
  owner_requested boolean,
  attempt integer,
  max_attempts integer,
  run_at timestamptz,
  worker_id text,
  created_at timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  executive_summary text,
  detailed_appendix jsonb,
  steps jsonb,
  evidence jsonb,
  costs jsonb,
  cost_eur numeric
)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform hq.caller();
  return query
  select
    r.id,
    r.run_type,
    r.platform_key,
    r.status::text,
    request.trigger,
    request.requester,
    r.owner_requested,
    coalesce(queue.attempt + 1, substring(r.detailed_appendix ->> 'attempt' from '^\d{1,9}$')::integer),
    queue.max_attempts,
    hq.clamp_instant(queue.run_at),
    queue.worker_id,
    -- A run has a date for every reader: where its own is out of all bounds, that of its request.
    coalesce(hq.clamp_instant(r.created_at), hq.clamp_instant(request.created_at), now()),
    hq.clamp_instant(r.started_at),
    hq.clamp_instant(r.completed_at),
    r.executive_summary,
    case when jsonb_typeof(r.detailed_appendix) = 'object' then r.detailed_appendix end,
    (
      select coalesce(jsonb_agg(jsonb_build_object(
        'step_order', s.step_order, 'name', s.name, 'description', s.description, 'status', s.status,
        'started_at', s.started_at, 'completed_at', s.completed_at
      ) order by s.step_order), '[]')
      from hq.run_steps as s where s.run_id = r.id
    ),
    (
      select coalesce(jsonb_agg(jsonb_build_object(
        'evidence_type', e.evidence_type, 'data', e.data, 'source_url', e.source_url
      ) order by e.created_at, e.id), '[]')
      from hq.run_evidence as e where e.run_id = r.id
    ),
    (
      select coalesce(jsonb_agg(jsonb_build_object(
        'lease_token', c.lease_token, 'model', c.model, 'calls', c.calls, 'tokens_in', c.tokens_in,
        'tokens_out', c.tokens_out, 'cost_eur', c.cost_eur,
        'search_cost_eur', c.search_cost_eur, 'estimated', c.estimated
      ) order by c.lease_token, c.id), '[]')
      from hq.run_costs as c where c.run_id = r.id
    ),
    (select sum(c.cost_eur) from hq.run_costs as c where c.run_id = r.id)
  from hq.runs as r
  left join hq.run_requests as request on request.run_id = r.id
  left join hq.run_queue as queue on queue.run_id = r.id
  where r.id = p_run_id;
  if not found then
    raise exception using
      errcode = 'HQ006',
      message = 'Cette exécution est introuvable.',
      hint = 'Donnez l''identifiant d''une ligne de hq.runs.';
  end if;
end
$$;
revoke execute on function public.get_hq_run from public, anon, authenticated;
grant execute on function public.get_hq_run to authenticated, service_role;
comment on function public.get_hq_run is 'Une exécution avec sa demande, ses étapes, ses preuves et son coût.';

-- Read the autopilot's latest decisions, newest first: what was decided, by whom, why, and at what cost.
-- Read-only. Includes decisions that launched nothing, of which the log keeps one an hour.
-- Raises HQ001 not allowed.
create or replace function public.get_hq_autopilot_journal(p_limit integer default 50)
returns table (
  decision_id bigint,
  decided_at timestamptz,
  asked_by text,
  decided_by text,
  reasoning text,
  jobs_to_run text[],
  run_ids uuid[],
  skipped text[],
  next_check_in_minutes integer,
  model text,
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
    d.id, d.decided_at, d.asked_by, d.decided_by, d.reasoning, d.jobs_to_run, d.run_ids, d.skipped,
    d.next_check_in_minutes, d.model, coalesce(d.cost_eur, 0)
  from hq.autopilot_decisions as d
  where d.state = 'decided'
  order by d.id desc
  limit least(greatest(coalesce(p_limit, 50), 0), 500);
end
$$;
revoke execute on function public.get_hq_autopilot_journal from public, anon, authenticated;
grant execute on function public.get_hq_autopilot_journal to authenticated, service_role;
comment on function public.get_hq_autopilot_journal is 'Dernières décisions de l''autopilote, '
  'de la plus récente à la plus ancienne.';

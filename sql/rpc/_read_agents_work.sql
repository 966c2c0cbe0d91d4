-- Read what each agent did in 30 days: [{agent, runs, runs_before, completed, failed, cancelled, mean_ms, cost_eur}],
-- the busiest first, forty at most. Runs of a type that the registry no longer has count as nobody's.
-- Read-only. Raises nothing.
create or replace function hq.read_agents_work()
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'agent', a.agent, 'runs', a.runs, 'runs_before', a.runs_before, 'completed', a.completed, 'failed', a.failed,
    'cancelled', a.cancelled, 'mean_ms', a.mean_ms, 'cost_eur', a.cost_eur
  ) order by a.runs desc, a.agent), '[]')
  from (
    select
      t.agent,
      sum(h.runs) as runs,
      sum(h.runs_before) as runs_before,
      sum(h.completed) as completed,
      sum(h.failed) as failed,
      sum(h.cancelled) as cancelled,
      round(sum(h.mean_ms * h.completed) / nullif(sum(h.completed) filter (where h.mean_ms is not null), 0)) as mean_ms,
      sum(h.cost_eur) as cost_eur
    from hq.list_run_history(30) as h
    left join hq.run_types as t on t.key = h.run_type
    group by t.agent
    order by 2 desc, 1
    limit 40
  ) as a
$$;
revoke execute on function hq.read_agents_work from public, anon, authenticated;
comment on function hq.read_agents_work is 'Travail de chaque agent sur 30 jours : exécutions, issues, durée, coût.';

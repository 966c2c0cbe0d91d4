-- Read how each type of run did in the last days: how many, how they ended, how long they took, what they cost.
-- Read-only. runs_before counts the period of the same length before. A hundred types at most, the busiest first:
-- sum_hq_run_history has the totals of all.
-- Raises nothing.
create or replace function public.read_hq_run_history(p_days integer default 30)
returns table (
  run_type text,
  runs bigint,
  runs_before bigint,
  completed bigint,
  failed bigint,
  cancelled bigint,
  mean_ms bigint,
  longest_ms bigint,
  usual_error text,
  cost_eur numeric
)
language sql
stable
security definer
set search_path = ''
as $$
  select h.* from hq.list_run_history(p_days) as h order by h.runs desc, h.run_type limit 100
$$;
revoke execute on function public.read_hq_run_history from public, anon, authenticated;
grant execute on function public.read_hq_run_history to service_role;
comment on function public.read_hq_run_history is 'Bilan des exécutions par type sur les derniers jours : '
  'issues, durées, coût.';

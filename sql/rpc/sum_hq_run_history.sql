-- Sum how all runs did in the last days: the list of types may be cut, the totals may not.
-- Read-only.
-- Raises nothing.
create or replace function public.sum_hq_run_history(p_days integer default 30)
returns table (
  run_types integer, runs bigint, runs_before bigint, completed bigint, failed bigint, cost_eur numeric
)
language sql
stable
security definer
set search_path = ''
as $$
  select
    count(*)::integer,
    coalesce(sum(h.runs), 0)::bigint,
    coalesce(sum(h.runs_before), 0)::bigint,
    coalesce(sum(h.completed), 0)::bigint,
    coalesce(sum(h.failed), 0)::bigint,
    coalesce(sum(h.cost_eur), 0)
  from hq.list_run_history(p_days) as h
$$;
revoke execute on function public.sum_hq_run_history from public, anon, authenticated;
grant execute on function public.sum_hq_run_history to service_role;
comment on function public.sum_hq_run_history is 'Totaux des exécutions sur les derniers jours, tous types confondus.';

-- Say how the month's cost stands to the budget, for whoever watches: unlike check_hq_ai_budget this warns of nothing.
-- Read-only.
-- Raises nothing.
create or replace function public.get_hq_budget_state()
returns table (
  month_cost_eur numeric,
  target_eur numeric,
  threshold_pct numeric,
  pct_used numeric,
  is_warned boolean,
  is_exhausted boolean
)
language sql
stable
security definer
set search_path = ''
as $$
  select b.* from hq.budget_state() as b
$$;
revoke execute on function public.get_hq_budget_state from public, anon, authenticated;
grant execute on function public.get_hq_budget_state to service_role;
comment on function public.get_hq_budget_state is 'Où en est le budget IA du mois, '
  'sans avertir personne.';

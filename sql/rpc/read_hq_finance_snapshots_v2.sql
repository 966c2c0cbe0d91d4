-- Read what the company earned, day by day, newest first; all figures of a day only from p_figures_since on, because
-- they weigh a hundred times what a series needs. p_figures_since null: of every day.
-- Read-only.
-- Raises nothing.
create or replace function public.read_hq_finance_snapshots_v2(p_since date, p_figures_since date default null)
returns table (
  day date,
  taken_at timestamptz,
  measured boolean,
  currency text,
  mrr numeric,
  active_subscriptions integer,
  churn_rate numeric,
  figures jsonb
)
language sql
stable
security definer
set search_path = ''
as $$
  select s.day, s.taken_at, s.measured, s.currency, s.mrr, s.active_subscriptions, s.churn_rate,
    case when p_figures_since is null or s.day >= p_figures_since then s.figures end
  from hq.finance_snapshots as s
  where s.day >= p_since
  order by s.day desc
$$;
revoke execute on function public.read_hq_finance_snapshots_v2 from public, anon, authenticated;
grant execute on function public.read_hq_finance_snapshots_v2 to service_role;
comment on function public.read_hq_finance_snapshots_v2 is 'Chiffres Stripe par jour, du plus récent au plus ancien ; '
  'le détail des seuls jours récents.';

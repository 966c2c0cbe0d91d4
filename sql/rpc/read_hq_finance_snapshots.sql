-- Read what the company earned, day by day, newest first.
-- Read-only.
-- Raises nothing.
create or replace function public.read_hq_finance_snapshots(p_since date)
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
  select s.day, s.taken_at, s.measured, s.currency, s.mrr, s.active_subscriptions, s.churn_rate, s.figures
  from hq.finance_snapshots as s
  where s.day >= p_since
  order by s.day desc
$$;
revoke execute on function public.read_hq_finance_snapshots from public, anon, authenticated;
grant execute on function public.read_hq_finance_snapshots to service_role;
comment on function public.read_hq_finance_snapshots is 'Chiffres Stripe par jour, du plus récent au plus ancien.';

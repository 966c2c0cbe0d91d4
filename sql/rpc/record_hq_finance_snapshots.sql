-- Keep what the company earned on some days: what was measured on the day itself outranks what was computed later.
-- Locks the rows of the days, in their order. Idempotent; of two measures of a day the later one stays.
-- Raises 22023 for anything but a list, 55P03 when another session holds a day: call again.
create or replace function public.record_hq_finance_snapshots(p_snapshots jsonb)
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
  insert into hq.finance_snapshots as s (
    day, taken_at, measured, currency, mrr, active_subscriptions, churn_rate, figures
  )
  select g.day, g.taken_at, g.measured, g.currency, g.mrr, g.active_subscriptions, g.churn_rate, g.figures
  from jsonb_to_recordset(p_snapshots) as g(
    day date,
    taken_at timestamptz,
    measured boolean,
    currency text,
    mrr numeric,
    active_subscriptions integer,
    churn_rate numeric,
    figures jsonb
  )
  order by g.day
  on conflict (day) do update
  set
    taken_at = excluded.taken_at,
    measured = true,
    currency = excluded.currency,
    mrr = excluded.mrr,
    active_subscriptions = excluded.active_subscriptions,
    churn_rate = excluded.churn_rate,
    figures = excluded.figures
  where excluded.measured and (not s.measured or s.taken_at <= excluded.taken_at)
$$;
revoke execute on function public.record_hq_finance_snapshots from public, anon, authenticated;
grant execute on function public.record_hq_finance_snapshots to service_role;
comment on function public.record_hq_finance_snapshots is 'Garde les chiffres Stripe par jour ; '
  'un relevé remplace une reconstitution, jamais l''inverse.';

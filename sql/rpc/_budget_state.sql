-- Compare this month's real cost with the budget that the presidency set; the month is in Paris time.
-- Read-only. What system_config.ai_budget lacks or holds in another shape is read as 200 EUR and 80 %.
-- Raises nothing, whatever stands there. A budget of zero is exhausted from the start.
create or replace function hq.budget_state(p_now timestamptz default now())
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
  with config as (
    select (select c.value from hq.system_config as c where c.key = 'ai_budget') as value
  ),
  wanted as (
    select
      case
        when jsonb_typeof(value -> 'monthly_target_eur') = 'number'
          then (value ->> 'monthly_target_eur')::numeric
      end as target,
      case
        when jsonb_typeof(value -> 'alert_threshold_pct') = 'number'
          then (value ->> 'alert_threshold_pct')::numeric
      end as threshold
    from config
  ),
  budget as (
    select
      case when target between 0 and 1000000 then round(target, 2) else 200 end as target,
      case when threshold between 0 and 100 then round(threshold, 2) else 80 end as threshold
    from wanted
  ),
  month as (
    select date_trunc('month', p_now at time zone hq.paris_zone()) as first_day
  ),
  spent as (
    select coalesce(sum(c.cost_eur), 0) as cost
    from month
    left join hq.run_costs as c
      on c.created_at >= month.first_day at time zone hq.paris_zone()
      and c.created_at < (month.first_day + interval '1 month') at time zone hq.paris_zone()
  ),
  used as (
    select cost, target, threshold, case when target > 0 then round(100 * cost / target, 2) else 100 end as pct
    from spent
    cross join budget
  )
  select cost, target, threshold, pct, pct >= threshold, cost >= target from used
$$;
revoke execute on function hq.budget_state from public, anon, authenticated;
comment on function hq.budget_state is 'Coût réel du mois (heure de Paris) face au budget : '
  'alerte au seuil, arrêt à 100 %.';

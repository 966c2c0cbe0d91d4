-- List the months of Paris that have bills, from the first bill's to the present one, and whether their sums are kept.
-- Read-only.
-- Raises nothing.
create or replace function hq.list_cost_months()
returns table (month date, is_kept boolean)
language sql
stable
security definer
rows 40
set search_path = ''
as $$
  select m.first_day::date, exists (select from hq.cost_months as k where k.month = m.first_day::date)
  from (select min(c.created_at) as at from hq.run_costs as c where c.created_at > '0001-01-02') as oldest
  cross join lateral generate_series(
    date_trunc('month', oldest.at at time zone hq.paris_zone()),
    date_trunc('month', now() at time zone hq.paris_zone()),
    interval '1 month'
  ) as m (first_day)
$$;
revoke execute on function hq.list_cost_months from public, anon, authenticated;
comment on function hq.list_cost_months is 'Mois (heure de Paris) qui ont des factures, '
  'et ceux dont les sommes sont gardées.';

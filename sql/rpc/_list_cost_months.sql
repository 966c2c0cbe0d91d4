-- List the months of Paris that have bills, and whether their kept sums count: kept, and no bill changed since.
-- Read-only. One step of the index on the date for each month; bills dated out of the years 2 to 9998 are left out.
-- Raises nothing.
create or replace function hq.list_cost_months()
returns table (month date, is_kept boolean)
language sql
stable
security definer
rows 40
set search_path = ''
as $$
  with recursive months (first_day) as (
    select date_trunc('month', min(c.created_at) at time zone hq.paris_zone())
    from hq.run_costs as c
    where c.created_at >= '0002-01-01' and c.created_at < '9999-01-01'
    union all
    select (
      select date_trunc('month', min(c.created_at) at time zone hq.paris_zone())
      from hq.run_costs as c
      where c.created_at >= (m.first_day + interval '1 month') at time zone hq.paris_zone()
        and c.created_at < '9999-01-01'
    )
    from months as m
    where m.first_day is not null
  )
  select
    m.first_day::date,
    exists (select from hq.cost_months as k where k.month = m.first_day::date)
    and not exists (select from hq.cost_month_changes as n where n.month = m.first_day::date)
  from months as m
  where m.first_day is not null
$$;
revoke execute on function hq.list_cost_months from public, anon, authenticated;
comment on function hq.list_cost_months is 'Mois (heure de Paris) qui ont des factures, '
  'et ceux dont les sommes gardées comptent.';

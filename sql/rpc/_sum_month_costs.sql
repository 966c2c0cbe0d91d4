-- Add up the bills of one month of Paris by platform; an empty platform_key is a report on none.
-- Read-only. Planned again each time: the month decides that the index on the date serves it.
-- Raises nothing.
create or replace function hq.sum_month_costs(p_month date)
returns table (platform_key text, runs bigint, attempts bigint, cost_eur numeric, estimated_eur numeric)
language plpgsql
stable
security definer
rows 20
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
declare
  v_from constant timestamptz := p_month::timestamp at time zone hq.paris_zone();
  v_to constant timestamptz := (p_month + interval '1 month') at time zone hq.paris_zone();
begin
  return query
  -- In three steps, each of which hashes: counting distinct values would sort a month of them.
  with by_attempt as (
    select
      coalesce(c.platform_key, '') as platform_key, c.run_id, c.lease_token,
      sum(c.cost_eur) as cost, sum(c.cost_eur) filter (where c.estimated) as guessed
    from hq.run_costs as c
    where c.created_at >= v_from and c.created_at < v_to
    group by 1, 2, 3
  ),
  by_run as (
    select a.platform_key, a.run_id, count(*) as attempts, sum(a.cost) as cost, sum(a.guessed) as guessed
    from by_attempt as a
    group by a.platform_key, a.run_id
  )
  select
    r.platform_key, count(r.run_id), sum(r.attempts)::bigint, sum(r.cost), coalesce(sum(r.guessed), 0)
  from by_run as r
  group by r.platform_key;
end
$$;
revoke execute on function hq.sum_month_costs from public, anon, authenticated;
comment on function hq.sum_month_costs is 'Coût d''un mois (heure de Paris) par plateforme, d''après les factures.';

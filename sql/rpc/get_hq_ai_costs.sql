-- Read what the reports of a month cost, in Paris: in all, by platform, by type, by model. scope and key name the line.
-- Read-only. listed_eur: runs asked for in the month at the registry's price (unknown types 0.05), as the screens sum
-- them; billed_eur: what workers were billed in the month; estimated_eur: the part of it that no vendor stated.
-- Raises HQ001 not allowed.
create or replace function public.get_hq_ai_costs(p_month date default null)
returns table (
  scope text,
  key text,
  runs bigint,
  listed_eur numeric,
  billed_eur numeric,
  estimated_eur numeric,
  mean_eur numeric
)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_first timestamp := date_trunc('month', coalesce(p_month::timestamp, now() at time zone hq.paris_zone()));
  v_from timestamptz := v_first at time zone hq.paris_zone();
  v_to timestamptz := (v_first + interval '1 month') at time zone hq.paris_zone();
begin
  perform hq.caller();
  return query
  with asked as (
    select
      r.platform_key, r.run_type, 1 as runs, coalesce(t.cost_eur, 0.05) as listed,
      0::numeric as billed, 0::numeric as guessed
    from hq.runs as r
    left join hq.run_types as t on t.key = r.run_type
    where r.created_at >= v_from and r.created_at < v_to
  ),
  billed as (
    select c.platform_key, c.run_type, c.model, c.run_id, c.cost_eur, c.search_cost_eur, c.estimated
    from hq.run_costs as c
    where c.created_at >= v_from and c.created_at < v_to
  ),
  both_sides as (
    select a.* from asked as a
    union all
    select b.platform_key, b.run_type, 0, 0, b.cost_eur, case when b.estimated then b.cost_eur else 0 end
    from billed as b
  ),
  by_model as (
    select b.model as name, b.run_id, b.cost_eur - b.search_cost_eur as cost, b.estimated from billed as b
    where b.cost_eur > b.search_cost_eur or b.search_cost_eur = 0
    union all
    select 'recherche web', b.run_id, b.search_cost_eur, b.estimated from billed as b where b.search_cost_eur > 0
  ),
  lines as (
    select
      case when grouping(coalesce(s.platform_key, 'global')) = 0 then 'platform'
        when grouping(s.run_type) = 0 then 'type' else 'total' end as scope,
      coalesce(coalesce(s.platform_key, 'global'), s.run_type, '') as key,
      sum(s.runs)::bigint as runs, sum(s.listed) as listed, sum(s.billed) as billed, sum(s.guessed) as guessed
    from both_sides as s
    group by grouping sets ((), (coalesce(s.platform_key, 'global')), (s.run_type))
    union all
    select 'model', m.name, count(distinct m.run_id), 0, sum(m.cost), sum(m.cost) filter (where m.estimated)
    from by_model as m
    group by m.name
  )
  select
    l.scope, l.key, coalesce(l.runs, 0),
    coalesce(l.listed, 0), coalesce(l.billed, 0), coalesce(l.guessed, 0),
    round(coalesce(l.billed, 0) / greatest(l.runs, 1), 6)
  from lines as l
  order by array_position(array['total', 'platform', 'type', 'model'], l.scope), l.billed desc nulls last, l.key;
end
$$;
revoke execute on function public.get_hq_ai_costs from public, anon, authenticated;
grant execute on function public.get_hq_ai_costs to authenticated, service_role;
comment on function public.get_hq_ai_costs is 'Coût de l''IA sur un mois (heure de Paris) : '
  'total, par plateforme, par type et par modèle.';

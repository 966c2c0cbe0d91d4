create or replace view hq.costs_by_platform with (security_invoker = true) as
with months as (
  select m.month, m.is_kept from hq.list_cost_months() as m
)
select
  to_char(c.month, 'YYYY-MM') as mois,
  coalesce(nullif(c.platform_key, ''), '(toutes)') as plateforme,
  c.runs as executions,
  c.attempts as tentatives,
  round(c.cost_eur, 4) as cout_eur,
  round(c.estimated_eur, 4) as dont_estime_eur,
  round(c.cost_eur / greatest(c.runs, 1), 4) as moyenne_eur
from (
  select k.month, k.platform_key, k.runs, k.attempts, k.cost_eur, k.estimated_eur
  from months as m
  join hq.cost_months as k on k.month = m.month
  where m.is_kept
  union all
  select m.month, s.platform_key, s.runs, s.attempts, s.cost_eur, s.estimated_eur
  from months as m
  cross join lateral hq.sum_month_costs(m.month) as s
  where not m.is_kept
) as c
order by 1 desc, 5 desc, 2;
comment on view hq.costs_by_platform is 'Coût réel de l''IA par mois (heure de Paris) et par plateforme ; '
  '« (toutes) » : les rapports qui n''en visent aucune.';
revoke all on hq.costs_by_platform from public, anon, authenticated, service_role;

create or replace view hq.costs_by_platform with (security_invoker = true) as
select
  to_char(c.created_at at time zone hq.paris_zone(), 'YYYY-MM') as mois,
  coalesce(c.platform_key, '(toutes)') as plateforme,
  count(distinct c.run_id) as executions,
  count(distinct (c.run_id, c.lease_token)) as tentatives,
  round(sum(c.cost_eur), 4) as cout_eur,
  round(coalesce(sum(c.cost_eur) filter (where c.estimated), 0), 4) as dont_estime_eur,
  round(sum(c.cost_eur) / greatest(count(distinct c.run_id), 1), 4) as moyenne_eur
from hq.run_costs as c
group by 1, 2
order by 1 desc, 5 desc, 2;
comment on view hq.costs_by_platform is 'Coût réel de l''IA par mois (heure de Paris) et par plateforme ; '
  '« (toutes) » : les rapports qui n''en visent aucune.';
revoke all on hq.costs_by_platform from public, anon, authenticated, service_role;

create or replace view hq.failures with (security_invoker = true) as
select
  r.id as execution,
  hq.paris_time(r.completed_at) as heure_de_paris,
  r.run_type as type,
  r.platform_key as plateforme,
  r.detailed_appendix ->> 'attempt' as essais,
  coalesce(r.detailed_appendix ->> 'error_code', 'sans code') as code,
  left(r.executive_summary, 500) as raison,
  coalesce(f.que_faire, 'lire son histoire : select * from hq.timeline(''' || r.id || ''');') as que_faire,
  left(r.detailed_appendix ->> 'error_message', 500) as cause_technique,
  retry.status::text as relance,
  coalesce((select sum(c.cost_eur) from hq.run_costs as c where c.run_id = r.id), 0) as cout_eur
from hq.runs as r
left join hq.list_failure_codes() as f on f.code = r.detailed_appendix ->> 'error_code'
left join lateral (
  select n.status
  from hq.runs as n
  where n.run_type = r.run_type
    and n.platform_key is not distinct from r.platform_key
    and n.created_at > r.completed_at
  order by n.created_at desc
  limit 1
) as retry on true
where r.status = 'failed' and r.completed_at > now() - interval '24 hours'
order by r.completed_at desc;
comment on view hq.failures is 'Échecs des dernières 24 heures : '
  'la raison, que faire, et où en est la relance du même rapport (colonne relance).';
revoke all on hq.failures from public, anon, authenticated, service_role;

create or replace view hq.failures with (security_invoker = true) as
with failed as (
  select
    r.id,
    r.completed_at as failed_at,
    r.run_type,
    r.platform_key,
    r.detailed_appendix ->> 'attempt' as attempts,
    r.detailed_appendix ->> 'error_code' as code,
    r.executive_summary as reason,
    r.detailed_appendix ->> 'error_message' as error_message
  from hq.runs as r
  where r.status = 'failed' and r.completed_at > now() - interval '24 hours'
),
waiting as (
  select
    d.run_id,
    d.created_at,
    d.run_type,
    d.platform_key,
    nullif(d.attempts, 0)::text,
    d.failure_reason,
    coalesce(d.last_error, 'L''ancien programme a gardé cette demande sans dire pourquoi.'),
    null
  from hq.find_dead_letters() as d
  where not exists (select from failed as f where f.id = d.run_id)
)
select
  r.id as execution,
  hq.paris_time(r.failed_at) as heure_de_paris,
  r.run_type as type,
  r.platform_key as plateforme,
  r.attempts as essais,
  coalesce(r.code, 'sans code') as code,
  left(r.reason, 500) as raison,
  coalesce(
    f.que_faire,
    case
      when exists (select from hq.runs as there where there.id = r.id)
        then 'lire son histoire : select * from hq.timeline(''' || r.id || ''');'
      else 'si le rapport est encore utile : select * from hq.retry_run(''' || r.id || ''');'
    end
  ) as que_faire,
  left(r.error_message, 500) as cause_technique,
  retry.status::text as relance,
  coalesce((select sum(c.cost_eur) from hq.run_costs as c where c.run_id = r.id), 0) as cout_eur
from (table failed union all table waiting) as r
left join hq.list_failure_codes() as f on f.code = r.code
left join lateral (
  select n.status
  from hq.runs as n
  where n.run_type = r.run_type
    and n.platform_key is not distinct from r.platform_key
    and n.created_at > r.failed_at
  order by n.created_at desc
  limit 1
) as retry on true
order by r.failed_at desc;
comment on view hq.failures is 'Échecs des dernières 24 heures, et lettres mortes en attente, de tout âge : '
  'la raison, que faire, et où en est la relance du même rapport (colonne relance).';
revoke all on hq.failures from public, anon, authenticated, service_role;

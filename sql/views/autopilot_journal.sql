create or replace view hq.autopilot_journal with (security_invoker = true) as
select
  d.id as decision,
  to_char(coalesce(d.decided_at, d.began_at) at time zone hq.paris_zone(), 'YYYY-MM-DD HH24:MI') as heure_de_paris,
  case d.state when 'decided' then d.decided_by when 'deciding' then 'en cours' else 'abandonnée' end as decide_par,
  d.asked_by as demandee_par,
  d.jobs_to_run as lancees,
  d.skipped as ecartees,
  d.reasoning as raison,
  coalesce(d.cost_eur, 0) as cout_eur,
  d.run_ids as executions
from hq.autopilot_decisions as d
order by d.id desc;
comment on view hq.autopilot_journal is 'Journal de l''autopilote, du plus récent au plus ancien : '
  'ce qui a été décidé, par qui, pourquoi, à quel coût.';
revoke all on hq.autopilot_journal from public, anon, authenticated, service_role;

-- Find the failed run that a person's request without context relaunches, or null.
-- Read-only. Only the latest run of this type and platform counts, and only for 24 hours.
-- Raises nothing.
create or replace function hq.run_to_relaunch(p_run_type text, p_platform_key text)
returns uuid
language sql
stable
security definer
set search_path = ''
as $$
  select latest.id
  from (
    select r.id, r.status, coalesce(r.completed_at, r.created_at) as ended_at
    from hq.runs as r
    where r.run_type = p_run_type and r.platform_key is not distinct from p_platform_key
    order by r.created_at desc
    limit 1
  ) as latest
  where latest.status = 'failed' and latest.ended_at > now() - interval '24 hours'
$$;
revoke execute on function hq.run_to_relaunch from public, anon, authenticated;
comment on function hq.run_to_relaunch is 'Dernière exécution échouée (24 h), '
  'dont une relance sans contexte reprend la demande.';

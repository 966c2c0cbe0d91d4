-- Find the context of the failed run that a request without context relaunches, or null.
-- Read-only. Only the latest run of this type and platform counts, and only for 24 hours.
-- Raises nothing.
create or replace function hq.context_to_relaunch(p_run_type text, p_platform_key text)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select latest.context
  from (
    select q.context, r.status, coalesce(r.completed_at, r.created_at) as ended_at
    from hq.runs as r
    left join hq.run_requests as q on q.run_id = r.id
    where r.run_type = p_run_type and r.platform_key is not distinct from p_platform_key
    order by r.created_at desc
    limit 1
  ) as latest
  where latest.status = 'failed' and latest.ended_at > now() - interval '24 hours'
$$;
revoke execute on function hq.context_to_relaunch from public, anon, authenticated;
comment on function hq.context_to_relaunch is 'Contexte de la dernière exécution échouée (24 h), repris par une relance sans contexte.';

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
  -- From the failures of a day to what came after them: a type that never ran on this platform may have years of runs
  -- on others.
  select failed.id
  from hq.runs as failed
  where failed.run_type = p_run_type and failed.platform_key is not distinct from p_platform_key
    and failed.status::text = 'failed'
    and (
      failed.completed_at > now() - interval '24 hours'
      or failed.completed_at is null and failed.created_at > now() - interval '24 hours'
    )
    and not exists (
      select from hq.runs as later
      where later.run_type = p_run_type and later.platform_key is not distinct from p_platform_key
        and later.created_at > failed.created_at
    )
  limit 1
$$;
revoke execute on function hq.run_to_relaunch from public, anon, authenticated;
comment on function hq.run_to_relaunch is 'Dernière exécution échouée (24 h), '
  'dont une relance sans contexte reprend la demande.';

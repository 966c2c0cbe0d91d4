-- Say whether everything is paused, by hq.pause_runs() or by hand in hq.system_config, key runs_paused.
-- Read-only: one look by a unique key, at every claim.
-- Raises nothing, whatever stands there.
create or replace function hq.is_paused()
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  select exists (
    select from hq.system_config as c
    where c.key = 'runs_paused' and (c.value ->> 'paused' = 'true' or c.value = 'true')
  )
$$;
revoke execute on function hq.is_paused from public, anon, authenticated;
comment on function hq.is_paused is 'Vrai tant que les exécutions sont en pause.';

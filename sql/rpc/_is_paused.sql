-- Say whether everything is paused, by hq.pause_runs() or by hand in hq.system_config, key runs_paused.
-- Read-only: one look by a unique key, at every claim.
-- In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing, whatever stands there.
create or replace function hq.is_paused()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return exists (
    select from hq.system_config as c
    where c.key = 'runs_paused' and (c.value ->> 'paused' = 'true' or c.value = 'true')
  );
end
$$;
revoke execute on function hq.is_paused from public, anon, authenticated;
comment on function hq.is_paused is 'Vrai tant que les exécutions sont en pause.';

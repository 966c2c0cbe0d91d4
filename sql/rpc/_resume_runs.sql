-- End the pause, from the SQL editor: waiting runs start. Slots of the plan that it skipped stay skipped.
-- Locks its row of system_config. Idempotent: journalled once.
-- Raises HQ008 another session holds that row.
create or replace function hq.resume_runs()
returns text
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
begin
  update hq.system_config
  set value = '{"paused": false, "reason": null, "since": null}'
  where key = 'runs_paused' and (value ->> 'paused' = 'true' or value = 'true');
  if not found then
    return 'Les exécutions n''étaient pas en pause.';
  end if;
  perform hq.write_log('info', 'scheduler', 'runs.resumed', '{}', null);
  return 'Les exécutions reprennent.';
exception when lock_not_available then
  perform hq.refuse_held();
  return null;
end
$$;
revoke execute on function hq.resume_runs from public, anon, authenticated;
comment on function hq.resume_runs is 'Met fin à la pause des exécutions (à lancer depuis l''éditeur SQL).';

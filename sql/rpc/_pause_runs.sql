-- Pause everything, from the SQL editor: no run starts, no slot of the plan is fired; what runs may finish.
-- Locks its row of system_config. Idempotent: the first pause keeps its hour and its reason, and is journalled once.
-- Raises HQ008 another session holds that row. Requests are still accepted; they wait for hq.resume_runs().
create or replace function hq.pause_runs(p_reason text default null)
returns text
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
begin
  insert into hq.system_config as c (key, value)
  values ('runs_paused', jsonb_build_object('paused', true, 'reason', left(p_reason, 200), 'since', now()))
  on conflict (key) do update set value = excluded.value
  where not (c.value ->> 'paused' is not distinct from 'true' or c.value = 'true');
  if not found then
    return 'Les exécutions étaient déjà en pause. Pour les reprendre : select hq.resume_runs();';
  end if;
  perform hq.write_log('warn', 'scheduler', 'runs.paused', jsonb_build_object('reason', left(p_reason, 200)), null);
  return 'Les exécutions sont en pause : plus aucune ne démarre. Pour les reprendre : select hq.resume_runs();';
exception when lock_not_available then
  perform hq.refuse_held();
  return null;
end
$$;
revoke execute on function hq.pause_runs from public, anon, authenticated;
comment on function hq.pause_runs is 'Met toutes les exécutions en pause (à lancer depuis l''éditeur SQL).';

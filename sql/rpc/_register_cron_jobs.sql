-- Register our pg_cron jobs, each by its name; called at the end of every migration.
-- Idempotent: a job that exists gets its command and schedule again, its on/off switch is left as it is. A command that
-- somebody else put under the name, as a later migration of the host does, is reported and replaced.
-- Raises nothing where pg_cron is missing: it says so and answers false; the workers rescue by themselves.
create or replace function hq.register_cron_jobs()
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_job record;
  v_stands text;
begin
  if to_regclass('cron.job') is null then
    raise notice 'pg_cron is not enabled: workers rescue runs and fire the plan by themselves '
      '(emocare doctor reports it)';
    return false;
  end if;
  for v_job in select * from hq.list_cron_jobs() loop
    select j.command into v_stands from cron.job as j where j.jobname = v_job.name and j.username = current_user;
    if v_stands <> v_job.command then
      raise notice 'cron job %: "%" stood under this name; it is "%" again', v_job.name, v_stands, v_job.command;
    end if;
    perform cron.schedule(v_job.name, v_job.schedule, v_job.command);
  end loop;
  return true;
end
$$;
revoke execute on function hq.register_cron_jobs from public, anon, authenticated;
comment on function hq.register_cron_jobs is 'Enregistre nos tâches pg_cron, par leur nom.';

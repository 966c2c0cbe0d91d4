-- Register our pg_cron jobs, each by its name; called at the end of every migration.
-- Idempotent: a job that exists gets its command and hour again, its on/off switch is left as it is.
-- Raises nothing where pg_cron is missing: it says so and answers false; the workers rescue by themselves.
create or replace function hq.register_cron_jobs()
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if to_regclass('cron.job') is null then
    raise notice 'pg_cron is not enabled: workers rescue runs by themselves (emocare doctor reports it)';
    return false;
  end if;
  perform cron.schedule('hq-rescue-runs', '* * * * *', 'select public.rescue_hq_runs()');
  return true;
end
$$;
revoke execute on function hq.register_cron_jobs from public, anon, authenticated;
comment on function hq.register_cron_jobs is 'Enregistre nos tâches pg_cron, par leur nom.';

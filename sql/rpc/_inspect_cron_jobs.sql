-- Examine our pg_cron jobs, one row each: present, as registered, switched on, and run successfully of late.
-- Read-only. A dead man's switch: a job that never ran counts from when it was registered.
-- Raises nothing; where pg_cron is missing, one row says who does its work.
create or replace function hq.inspect_cron_jobs()
returns table (name text, state text, detail text, code text, subject text)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_job record;
begin
  if to_regclass('cron.job') is null then
    return query select
      'pg_cron',
      'amber',
      'not enabled: workers rescue and fire the plan by themselves, nothing does while none lives',
      'pg_cron',
      null::text;
    return;
  end if;
  for v_job in
    execute $query$
      select
        w.name, w.command as wanted, j.schedule, j.command, j.active, d.status, d.start_time,
        coalesce(d.start_time, m.applied_at) < now() - w.silent_after as is_late
      from hq.list_cron_jobs() as w
      left join hq.worker_migrations as m on m.kind = 'function' and m.name = '_list_cron_jobs'
      left join cron.job as j on j.jobname = w.name
      left join lateral (
        select r.status, r.start_time from cron.job_run_details as r
        where r.jobid = j.jobid order by r.runid desc limit 1
      ) as d on true
      order by w.name
    $query$
  loop
    return query select
      'cron job ' || v_job.name,
      case
        when v_job.command is distinct from v_job.wanted or not v_job.active then 'red'
        when v_job.status = 'failed' or v_job.is_late then 'amber'
        else 'green'
      end,
      case
        when v_job.command is null then 'missing: run emocare migrate'
        when v_job.command <> v_job.wanted
          then 'another command stands under this name: ' || v_job.command || '; run emocare migrate'
        when not v_job.active then 'switched off'
        else format(
          '%s, last run %s%s',
          v_job.schedule,
          coalesce(v_job.status || ' at ' || v_job.start_time, 'not yet'),
          case when v_job.is_late then ': pg_cron has stopped running it; see cron.job_run_details' else '' end
        )
      end,
      'cron_job',
      v_job.name;
  end loop;
end
$$;
revoke execute on function hq.inspect_cron_jobs from public, anon, authenticated;
comment on function hq.inspect_cron_jobs is 'Contrôle de nos tâches pg_cron, y compris celles qui ont cessé de passer.';

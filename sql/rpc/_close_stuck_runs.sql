-- Close as failed what older code left running: for over 15 minutes, without a request, a queue row or a lease.
-- At most 200 in a second; the next call goes on.
-- Locks the rows it closes, skips locked ones. Idempotent: a closed run is no longer running.
-- Raises nothing. Answers how many were closed.
create or replace function hq.close_stuck_runs()
returns integer
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_stop_at constant timestamptz := clock_timestamp() + interval '1 second';
  v_run record;
  v_closed integer := 0;
begin
  for v_run in
    select
      r.id,
      r.run_type,
      coalesce(r.started_at, r.created_at) as since,
      floor(extract(epoch from now() - hq.clamp_instant(coalesce(r.started_at, r.created_at))) / 60) as minutes
    from hq.runs as r
    where r.status = 'running'
      and coalesce(r.started_at, r.created_at) < now() - interval '15 minutes'
      and not exists (select from hq.run_queue as q where q.run_id = r.id)
      and not exists (select from hq.run_requests as own where own.run_id = r.id)
    limit 200
    for no key update of r skip locked
  loop
    exit when clock_timestamp() > v_stop_at;
    begin
      perform hq.write_log(
        'warn',
        'autopilot',
        'autopilot.stuck_run_override',
        jsonb_build_object(
          'job_key', (
            select j.key from hq.scheduled_jobs as j where j.run_type = v_run.run_type order by j.key limit 1
          ),
          'run_type', v_run.run_type,
          'stuck_run_id', v_run.id,
          'running_minutes', v_run.minutes
        ),
        v_run.id
      );
      perform hq.end_run(
        v_run.id,
        'failed',
        format(
          'L''exécution est restée « en cours » pendant %s minutes sans que personne ne s''en occupe : '
          'elle a été close. Relancez-la si le rapport est encore utile.',
          v_run.minutes
        ),
        jsonb_build_object('error_code', 'run_stuck', 'fallback_used', false, 'cost_estimate', 0),
        jsonb_build_object(
          'error_code', 'run_stuck',
          'error_message', 'Left running by older code; nobody executes it.',
          'duration_ms', hq.elapsed_ms(v_run.since),
          'cost_estimate', 0
        )
      );
      v_closed := v_closed + 1;
    exception when lock_not_available then
      -- However many are held, together they cost one wait.
      perform set_config('lock_timeout', '5ms', true);
    end;
  end loop;
  return v_closed;
end
$$;
revoke execute on function hq.close_stuck_runs from public, anon, authenticated;
comment on function hq.close_stuck_runs is
  'Clôt en échec les exécutions restées « running » que plus personne n''exécute.';

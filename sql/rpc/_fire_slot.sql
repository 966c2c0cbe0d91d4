-- Decide one slot of the plan, and journal the outcome: fired, skipped because of p_hold, or refused.
-- Part of the caller's transaction, which holds hq.plan_clock. Waits for no lock that another session holds.
-- Raises nothing: what fails unexpectedly stays undecided, is journalled once, and is tried again the next time.
create or replace function hq.fire_slot(p_job_key text, p_slot_at timestamptz, p_hold text, p_now timestamptz)
returns void
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_job hq.scheduled_jobs;
  v_slot hq.plan_slots;
  v_local text := to_char(p_slot_at at time zone hq.paris_zone(), 'YYYY-MM-DD HH24:MI');
  v_failure text;
begin
  select j.* into v_job from hq.scheduled_jobs as j where j.key = p_job_key;
  v_slot.reason := case when v_job.enabled is not true then 'disabled' else p_hold end;
  if v_slot.reason is not null then
    v_slot.outcome := 'skipped';
  else
    begin
      select 'fired', a.run_id, a.reason into v_slot.outcome, v_slot.run_id, v_slot.reason
      from hq.accept_request(
        'plan',
        'plan',
        v_job.run_type,
        null,
        jsonb_build_object('triggered_by', 'schedule', 'job_key', p_job_key, 'scheduled_time', v_local),
        'schedule',
        null,
        case v_job.priority when 'high' then 0 when 'medium' then -1 else -2 end,
        false
      ) as a;
    exception
      when sqlstate 'HQ001' or sqlstate 'HQ002' or sqlstate 'HQ003' or sqlstate 'HQ004' or sqlstate 'HQ005' then
        v_slot.outcome := 'refused';
        v_slot.reason := sqlerrm;
      when others then
        v_failure := left(sqlerrm, 500);
    end;
  end if;

  update hq.plan_slots as s
  set
    outcome = v_slot.outcome,
    run_id = v_slot.run_id,
    reason = coalesce(v_failure, v_slot.reason),
    decided_at = case when v_slot.outcome is not null then p_now end
  where s.job_key = p_job_key and s.slot_at = p_slot_at and s.outcome is null
    and (v_failure is null or s.reason is distinct from v_failure);
  if found then
    perform hq.write_log(
      case when v_slot.outcome = 'fired' then 'info' when v_failure is null then 'warn' else 'error' end,
      'scheduler',
      'plan.slot_' || coalesce(v_slot.outcome, 'failed'),
      jsonb_build_object(
        'job_key', p_job_key,
        'run_type', v_job.run_type,
        'slot', v_local,
        'late_minutes', floor(extract(epoch from p_now - p_slot_at) / 60),
        'reason', coalesce(v_failure, v_slot.reason),
        'run_id', v_slot.run_id,
        'trigger', 'schedule'
      ),
      v_slot.run_id
    );
  end if;
end
$$;
revoke execute on function hq.fire_slot from public, anon, authenticated;
comment on function hq.fire_slot is 'Décide d''un créneau du plan et le journalise.';

-- Examine the plan as of p_now: record the slots that came since the last time, and decide each of them.
-- One caller at a time, by the row of hq.plan_clock; the others return at once. Idempotent: a slot is decided once.
-- Ends within seconds, however many slots are due or held: the next call goes on, and slots that failed come after
-- those not tried yet.
-- Raises nothing of its own. Answers the slots decided by this call; those missed for longer than their job's grace
-- are journalled in one line per job, and looked for no more than 31 days back. A clock of the plan
-- that is more than a day ahead of p_now is put right.
create or replace function hq.enqueue_due_runs(p_now timestamptz)
returns table (job_key text, slot_at timestamptz, outcome text, reason text, run_id uuid)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_stop_at constant timestamptz := clock_timestamp() + interval '3 seconds';
  v_since timestamptz;
  v_hold text;
  v_slot record;
begin
  select c.passed_until into v_since from hq.plan_clock as c for update skip locked;
  if not found then
    return;
  end if;
  if v_since > p_now + interval '1 day' then
    -- Somebody's clock or hand was wrong, and no slot would come until then. Go on after the last one that is known;
    -- what was decided of slots that are to come, and launched nothing, does not count.
    perform hq.write_log('warn', 'scheduler', 'plan.clock_corrected', jsonb_build_object(
      'passed_until', v_since, 'now', p_now
    ), null);
    delete from hq.plan_slots as s where s.slot_at > p_now and s.run_id is null;
    v_since := coalesce((select max(s.slot_at) from hq.plan_slots as s where s.slot_at <= p_now), p_now);
    update hq.plan_clock set passed_until = v_since;
  end if;
  insert into hq.plan_slots (job_key, slot_at)
  select d.job_key, d.slot_at from hq.due_slots(greatest(v_since, p_now - interval '31 days'), p_now) as d
  on conflict do nothing;
  -- Never back, but above: a clock that was put right must not bring slots a second time.
  update hq.plan_clock set passed_until = p_now where passed_until < p_now;
  if not exists (select from hq.plan_slots as s where s.outcome is null) then
    return;
  end if;

  return query
  with missed as (
    update hq.plan_slots as s
    set outcome = 'missed', reason = coalesce(s.reason, 'too_late'), decided_at = p_now
    where (s.job_key, s.slot_at) in (
      select late.job_key, late.slot_at
      from hq.plan_slots as late
      where late.outcome is null
        and late.slot_at <= p_now - make_interval(mins => coalesce(
          (select j.grace_minutes from hq.scheduled_jobs as j where j.key = late.job_key), 0
        ))
      for update skip locked
    )
    returning s.*
  ),
  logged as materialized (
    select hq.write_log('warn', 'scheduler', 'plan.slot_missed', jsonb_build_object(
      'job_key', m.job_key,
      'run_type', (select j.run_type from hq.scheduled_jobs as j where j.key = m.job_key),
      'slots', m.slots[greatest(1, cardinality(m.slots) - 19):],
      'count', cardinality(m.slots),
      'reason', m.reason,
      'trigger', 'schedule'
    ), null)
    from (
      select
        missed.job_key,
        array_agg(
          to_char(missed.slot_at at time zone hq.paris_zone(), 'YYYY-MM-DD HH24:MI')
          order by missed.slot_at
        ) as slots,
        max(missed.reason) as reason
      from missed
      group by missed.job_key
    ) as m
  )
  select missed.job_key, missed.slot_at, missed.outcome, missed.reason, missed.run_id
  from missed
  cross join (select count(*) from logged) as lines;

  v_hold := hq.read_hold(p_now);
  for v_slot in
    select s.job_key, s.slot_at
    from hq.plan_slots as s
    where s.outcome is null
    order by s.reason is not null, s.slot_at, s.job_key
    for update skip locked
  loop
    exit when clock_timestamp() > v_stop_at;
    perform hq.fire_slot(v_slot.job_key, v_slot.slot_at, v_hold, p_now);
    return query
      select s.job_key, s.slot_at, s.outcome, s.reason, s.run_id
      from hq.plan_slots as s
      where s.job_key = v_slot.job_key and s.slot_at = v_slot.slot_at and s.outcome is not null;
  end loop;
end
$$;
revoke execute on function hq.enqueue_due_runs from public, anon, authenticated;
comment on function hq.enqueue_due_runs is 'Lance les créneaux dus du plan à un instant donné.';

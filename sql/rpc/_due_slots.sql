-- List every slot of every enabled job in (p_from, p_to], in Paris time: each of its hours on each of its days.
-- Read-only. An hour that the spring change skips is due at the next instant that exists; one that the autumn change
-- repeats, the first time. Two hours of a job that come to the same instant are one slot.
-- Raises nothing.
create or replace function hq.due_slots(p_from timestamptz, p_to timestamptz)
returns table (job_key text, slot_at timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select distinct j.key, slot.at
  from hq.scheduled_jobs as j
  cross join lateral generate_series(
    date_trunc('day', p_from at time zone hq.paris_zone()), p_to at time zone hq.paris_zone(), interval '1 day'
  ) as days (day)
  cross join lateral unnest(coalesce(j.hours, j.default_hours)) as hours (hour)
  cross join lateral (select days.day + make_interval(hours => hours.hour) as at) as clock
  -- What PostgreSQL makes of it: a skipped hour comes an hour later, of a repeated one it takes the second.
  cross join lateral (select clock.at at time zone hq.paris_zone() as at) as late
  cross join lateral (
    select case
      when (late.at - interval '1 hour') at time zone hq.paris_zone() = clock.at then late.at - interval '1 hour'
      else late.at
    end as at
  ) as slot
  where j.enabled
    and extract(isodow from days.day) = any (coalesce(j.weekdays, j.default_weekdays))
    and slot.at > p_from
    and slot.at <= p_to
$$;
revoke execute on function hq.due_slots from public, anon, authenticated;
comment on function hq.due_slots is 'Créneaux des tâches actives dans l''intervalle ]p_from, p_to], '
  'à l''heure de Paris.';

-- Why: 0022 left today's brief of 8 h to itself where it was applied in the minute after 8, or while the plan had not
--      been looked at since before 8: whoever had got the one of 7 got a second one.
-- phase: expand
-- Locks: the row of the plan's clock, for a moment; a look at the plan meanwhile passes.
-- Undo: none needed.
set local lock_timeout = '5s';

select from hq.plan_clock for update;

insert into hq.plan_slots (job_key, slot_at, outcome, reason, decided_at)
select j.key, today.eight, 'skipped', 'already_fired', now()
from hq.scheduled_jobs as j
cross join (
  select
    (date_trunc('day', now() at time zone 'Europe/Paris') + interval '8 hours') at time zone 'Europe/Paris' as eight
) as today
where j.key = 'daily_brief' and j.hours is null and j.default_hours = '{8}'
  and exists (
    select from hq.plan_slots as s
    where s.job_key = j.key and s.outcome = 'fired'
      and s.slot_at >= today.eight - interval '8 hours' and s.slot_at < today.eight
  )
on conflict do nothing;

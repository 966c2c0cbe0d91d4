-- Why: the page says that the brief comes every morning at 8, and takes Friday's for the day's on Sunday. Whoever got
--      today's at 7 must not get a second one at 8.
-- phase: expand
-- Locks: the row of the plan's clock and one of its jobs, for a moment; a look at the plan meanwhile passes.
-- Undo: none needed; the job's own hours and weekdays (columns hours, weekdays) come first, now as before.
set local lock_timeout = '5s';

select from hq.plan_clock for update;

insert into hq.plan_slots (job_key, slot_at, outcome, reason, decided_at)
select j.key, today.eight, 'skipped', 'already_fired', now()
from hq.scheduled_jobs as j
cross join (
  select
    (date_trunc('day', now() at time zone 'Europe/Paris') + interval '8 hours') at time zone 'Europe/Paris' as eight
) as today
where j.key = 'daily_brief' and j.hours is null and j.default_hours = '{7}' and now() < today.eight
  and exists (
    select from hq.plan_slots as s
    where s.job_key = j.key and s.outcome = 'fired'
      and s.slot_at between today.eight - interval '8 hours' and today.eight
  )
on conflict do nothing;

-- In this transaction, so that nobody looks between the two; the registry says the same.
update hq.scheduled_jobs
set default_hours = '{8}', default_weekdays = '{1,2,3,4,5,6,7}'
where key = 'daily_brief' and default_hours = '{7}';

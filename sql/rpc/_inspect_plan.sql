-- Examine the plan: looked at within the last three minutes, by any caller, and not ahead of the clock; not held up; no
-- slot that keeps failing.
-- Read-only.
-- Raises nothing.
create or replace function hq.inspect_plan()
returns table (name text, state text, detail text, code text)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  with facts as (
    select
      (select c.passed_until from hq.plan_clock as c) as looked_at,
      hq.read_hold() as hold,
      (
        select format('%s: %s', s.job_key, s.reason)
        from hq.plan_slots as s
        where s.outcome is null and s.reason is not null
        order by s.slot_at desc
        limit 1
      ) as failing,
      (select count(*) from hq.scheduled_jobs as j where j.enabled) as enabled
  )
  select
    'plan',
    case
      when looked_at is null or looked_at < now() - interval '3 minutes' or looked_at > now() + interval '1 day'
        then 'red'
      when looked_at > now() + interval '3 minutes' then 'amber'
      when hold is not null or failing is not null then 'amber'
      else 'green'
    end,
    case
      when looked_at is null then 'hq.plan_clock has no row: insert into hq.plan_clock (passed_until) values (now());'
      when looked_at < now() - interval '3 minutes' then
        'nobody has looked at it since ' || date_trunc('second', looked_at) || ': neither pg_cron nor a worker'
      when looked_at > now() + interval '3 minutes' then
        'looked at until ' || date_trunc('second', looked_at) || ', ahead of the clock: no slot comes before; '
        || case
          when looked_at > now() + interval '1 day' then 'the next look of pg_cron or a worker puts it right'
          else 'update hq.plan_clock set passed_until = now(); brings those that were not decided yet'
        end
      when hold is not null then 'held: ' || hold
      when failing is not null then 'a slot fails and is tried again, ' || failing
      else format('%s jobs enabled', enabled)
    end,
    'plan'
  from facts;
end
$$;
revoke execute on function hq.inspect_plan from public, anon, authenticated;
comment on function hq.inspect_plan is 'Contrôle du plan : examiné récemment, non retenu, sans créneau en échec.';

-- List what may call for a run beside the plan: runs that failed within a day and have not succeeded since, red
-- platforms, and planned reports whose latest slot was missed, or held back by a pause or the budget.
-- Read-only. Texts are untrusted (an error, a platform's name): bounded here, and fenced by whoever puts them in a
-- prompt.
-- Raises nothing.
create or replace function hq.list_signals()
returns table (key text, kind text, subject text, detail text)
language sql
stable
security definer
set search_path = ''
as $$
  (
    select
      'failure:' || r.id, 'failure', r.run_type || coalesce(' · ' || r.platform_key, ''),
      left(r.executive_summary, 300)
    from hq.runs as r
    where r.status = 'failed'
      and r.completed_at > now() - interval '1 day'
      and not exists (
        select from hq.runs as later
        where later.run_type = r.run_type
          and later.platform_key is not distinct from r.platform_key
          and later.status = 'completed'
          and later.completed_at > r.completed_at
          -- Follows from the two above: the index leads to one day, not to all years.
          and later.completed_at > now() - interval '1 day'
      )
    order by r.completed_at desc, r.id
    limit 20
  )
  union all
  (
    select 'red:' || p.key, 'red', left(p.name, 80), left(p.status_reason, 300)
    from hq.platforms as p
    where p.status = 'red'
    order by p.key
    limit 20
  )
  union all
  (
    select
      'overdue:' || late.job_key || ':' || extract(epoch from late.slot_at)::bigint, 'overdue', late.run_type,
      format('prévu le %s', to_char(late.slot_at at time zone hq.paris_zone(), 'DD/MM/YYYY à HH24:MI'))
    from (
      select distinct on (s.job_key) s.job_key, s.slot_at, s.outcome, s.reason, j.run_type
      from hq.plan_slots as s
      join hq.scheduled_jobs as j on j.key = s.job_key and j.enabled
      where s.slot_at > now() - interval '8 days' and s.outcome is not null
      order by s.job_key, s.slot_at desc
    ) as late
    where late.outcome in ('missed', 'skipped')
      and late.reason is distinct from 'disabled'
      and not exists (
        select from hq.runs as later
        where later.run_type = late.run_type and later.status = 'completed' and later.completed_at >= late.slot_at
          and later.completed_at > now() - interval '8 days'
      )
    order by late.job_key
    limit 20
  )
$$;
revoke execute on function hq.list_signals from public, anon, authenticated;
comment on function hq.list_signals is 'Ce qui peut justifier un ajout au plan : '
  'échecs, plateformes au rouge, revues en retard.';

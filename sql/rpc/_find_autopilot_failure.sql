-- Name the type of the latest run of the autopilot that failed and still keeps it from adding others: within a day,
-- not completed since by whoever asked, and not older than the settings (saving them is how the presidency goes on).
-- Read-only.
-- Raises nothing; null when nothing stands in the way.
create or replace function hq.find_autopilot_failure(p_set_at timestamptz)
returns text
language sql
stable
security definer
set search_path = ''
as $$
  select r.run_type
  from hq.run_requests as q
  join hq.runs as r on r.id = q.run_id
  where q.trigger = 'autopilot'
    and q.created_at > now() - interval '2 days'
    and r.status = 'failed'
    and r.completed_at > greatest(now() - interval '1 day', p_set_at)
    and not exists (
      select from hq.runs as later
      where later.run_type = r.run_type and later.status = 'completed' and later.completed_at > r.completed_at
        -- Follows from what is asked of r: the index leads to one day, not to all years.
        and later.completed_at > now() - interval '1 day'
    )
  order by r.completed_at desc
  limit 1
$$;
revoke execute on function hq.find_autopilot_failure from public, anon, authenticated;
comment on function hq.find_autopilot_failure is 'Échec récent d''une exécution de l''autopilote qui le met en pause.';

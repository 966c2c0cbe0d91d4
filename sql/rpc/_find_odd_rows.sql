-- Find rows that readers leave out, or read without the value in question: a date in no year that they can hold, a
-- priority that the plan does not know, figures that are none. Read-only.
-- Reads the small tables whole, of hq.runs what its index on completed_at leads to. Ten at most.
-- Raises nothing.
create or replace function hq.find_odd_rows()
returns table (place text, key text)
language sql
stable
security definer
rows 10
set search_path = ''
as $$
  select o.place, o.key
  from (
    select 'hq.platforms.last_release_at' as place, p.key::text as key
    from hq.platforms as p
    where p.last_release_at is not null and hq.clamp_instant(p.last_release_at) is null
    union all
    select 'hq.incidents.created_at', i.id::text
    from hq.incidents as i
    where hq.clamp_instant(i.created_at) is null
    union all
    select 'hq.actions.created_at', a.id::text
    from hq.actions as a
    -- In place of hq.clamp_instant, so that an index serves it: what people decide on grows with the runs.
    where a.created_at < timestamptz '0001-01-02 00:00:00+00' or a.created_at >= timestamptz '9999-12-31 00:00:00+00'
    union all
    (
      select 'hq.runs.completed_at', r.id::text
      from hq.runs as r
      where r.completed_at >= timestamptz '9999-12-31 00:00:00+00'
      limit 10
    )
    union all
    select 'hq.scheduled_jobs.priority', j.key
    from hq.scheduled_jobs as j
    where j.priority <> all (array['high', 'medium', 'low'])
    union all
    select 'hq.finance_snapshots.figures', s.day::text
    from hq.finance_snapshots as s
    where s.figures is not null and not coalesce(s.figures ? 'read_at', false)
  ) as o
  order by o.place, o.key
  limit 10
$$;
revoke execute on function hq.find_odd_rows from public, anon, authenticated;
comment on function hq.find_odd_rows is 'Lignes dont une valeur est illisible : elles sont laissées de côté.';

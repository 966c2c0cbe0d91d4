-- List the jobs of the plan as they are now, operators' changes included; the most important first.
-- due_since is the slot that came within the last hour, if one did.
-- Read-only.
-- Raises nothing.
create or replace function public.list_hq_jobs()
returns table (
  key text,
  aliases text[],
  name text,
  description text,
  run_type text,
  hours integer[],
  weekdays integer[],
  priority text,
  enabled boolean,
  due_since timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  select
    j.key,
    j.aliases,
    j.name,
    j.description,
    j.run_type,
    array(select distinct unnest(coalesce(j.hours, j.default_hours)) order by 1),
    array(select distinct unnest(coalesce(j.weekdays, j.default_weekdays)) order by 1),
    -- The column has no check: another word counts as it does where a slot is fired.
    case when j.priority in ('high', 'medium') then j.priority else 'low' end,
    j.enabled,
    (select max(d.slot_at) from hq.due_slots(now() - interval '1 hour', now()) as d where d.job_key = j.key)
  from hq.scheduled_jobs as j
  order by array_position('{high,medium,low}', j.priority), j.key
$$;
revoke execute on function public.list_hq_jobs from public, anon, authenticated;
grant execute on function public.list_hq_jobs to service_role;
comment on function public.list_hq_jobs is 'Tâches du plan, telles que les opérateurs les ont réglées.';

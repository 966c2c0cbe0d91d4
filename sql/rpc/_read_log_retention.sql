-- Read for how many days logs are kept: system_config.log_retention, {"days": n}; 30 where nobody set it.
-- Read-only. Null when the setting is no whole number of days from 1 to 36500: then nothing may be purged.
-- Raises nothing.
create or replace function hq.read_log_retention()
returns integer
language sql
stable
security definer
set search_path = ''
as $$
  select case
    when count(c.key) = 0 then 30
    when bool_and(jsonb_typeof(c.value -> 'days') = 'number') then (
      select max(d.days)::integer
      from (select (s.value ->> 'days')::numeric as days from hq.system_config as s where s.key = 'log_retention') as d
      where d.days between 1 and 36500 and d.days = trunc(d.days)
    )
  end
  from hq.system_config as c
  where c.key = 'log_retention'
$$;
revoke execute on function hq.read_log_retention from public, anon, authenticated;
comment on function hq.read_log_retention is 'Durée de conservation des journaux, en jours ; '
  'null si le réglage est refusé.';

-- Return the time zone that the plan, the budget and all that is shown to people go by: the one place that names it.
-- Pure; the planner replaces it with its value. Made by migration 0013 before the functions that use it.
-- Raises nothing.
create or replace function hq.paris_zone()
returns text
language sql
immutable
parallel safe
security definer
set search_path = ''
as $$
  select 'Europe/Paris'
$$;
revoke execute on function hq.paris_zone from public, anon, authenticated;
comment on function hq.paris_zone is 'Le fuseau horaire du plan, du budget et des heures affichées.';

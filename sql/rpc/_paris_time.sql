-- Write a moment in Paris time.
-- Pure.
-- Raises nothing.
create or replace function hq.paris_time(p_at timestamptz)
returns text
language sql
stable
security definer
set search_path = ''
as $$
  select to_char(p_at at time zone hq.paris_zone(), 'YYYY-MM-DD HH24:MI:SS')
$$;
revoke execute on function hq.paris_time from public, anon, authenticated;
comment on function hq.paris_time is 'Un instant, à l''heure de Paris.';

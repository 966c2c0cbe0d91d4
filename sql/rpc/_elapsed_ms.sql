-- Count the milliseconds since a moment, as a whole number.
-- Pure but for the clock.
-- Raises nothing.
create or replace function hq.elapsed_ms(p_since timestamptz)
returns bigint
language sql
volatile
security definer
set search_path = ''
as $$
  select coalesce(round(extract(epoch from clock_timestamp() - p_since) * 1000), 0)::bigint
$$;
revoke execute on function hq.elapsed_ms from public, anon, authenticated;
comment on function hq.elapsed_ms is 'Millisecondes écoulées depuis un instant.';

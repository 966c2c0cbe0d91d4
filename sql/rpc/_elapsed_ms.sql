-- Count the milliseconds since a moment, as a whole number; 0 since no moment, or an infinite one.
-- Pure but for the clock.
-- In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing.
create or replace function hq.elapsed_ms(p_since timestamptz)
returns bigint
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if p_since is null or not isfinite(p_since) then
    return 0;
  end if;
  return round(extract(epoch from clock_timestamp() - p_since) * 1000)::bigint;
end
$$;
revoke execute on function hq.elapsed_ms from public, anon, authenticated;
comment on function hq.elapsed_ms is 'Millisecondes écoulées depuis un instant.';

-- Return a moment that every reader can hold, in the years 1 to 9999; null for another, infinity among them.
-- Pure: a column of the host may hold the year 20260, and one such row must cost itself only.
-- In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing.
create or replace function hq.clamp_instant(p_at timestamptz)
returns timestamptz
language plpgsql
immutable
parallel safe
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return case
    when p_at >= timestamptz '0001-01-02 00:00:00+00' and p_at < timestamptz '9999-12-31 00:00:00+00' then p_at
  end;
end
$$;
revoke execute on function hq.clamp_instant from public, anon, authenticated;
comment on function hq.clamp_instant is 'Un instant lisible partout (années 1 à 9999), sinon vide.';

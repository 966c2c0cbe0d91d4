-- Return when a dead letter is due: never. The host's retry worker takes what is pending and due.
-- Pure; the planner replaces it with its value.
-- Raises nothing.
create or replace function hq.never_due()
returns timestamptz
language sql
immutable
parallel safe
security definer
set search_path = ''
as $$
  select timestamptz '9999-12-31 00:00:00+00'
$$;
revoke execute on function hq.never_due from public, anon, authenticated;
comment on function hq.never_due is 'L''échéance d''une lettre morte : jamais.';

-- Count the dead letters: those waiting for a person, and those being retried.
-- Read-only.
-- Raises nothing; zeros where the host has no hq.runs_dlq.
create or replace function hq.count_dead_letters()
returns table (waiting bigint, under_way bigint)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if to_regclass('hq.runs_dlq') is null then
    return query select 0::bigint, 0::bigint;
    return;
  end if;
  return query
    select count(*) filter (where d.status = 'pending'), count(*) filter (where d.status = 'in_progress')
    from hq.runs_dlq as d
    where d.status in ('pending', 'in_progress');
end
$$;
revoke execute on function hq.count_dead_letters from public, anon, authenticated;
comment on function hq.count_dead_letters is 'Lettres mortes en attente d''une décision, et celles relancées.';

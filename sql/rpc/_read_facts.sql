-- Read the facts of a settlement's evidence: its first row of type facts, {"facts": [{name, subject, value, unit, at,
-- source, scope}]}. What is no fact is left out: another shape, a value that is no finite number, an unreadable name, a
-- moment ahead of the clock or older than what is kept. Of each name, subject and unit the first; 200 at most.
-- Read-only. In plpgsql because it is called for every report: its plan is kept for the session.
-- Raises 22007 or 22008 for a date that looks like one and is none.
create or replace function hq.read_facts(p_evidence jsonb)
returns table (name text, subject text, unit text, source text, scope text, value numeric, at timestamptz)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  select distinct on (f.name, f.subject, f.unit) f.name, f.subject, f.unit, f.source, f.scope, f.value, f.at
  from (
    select
      g.fact ->> 'name' as name,
      coalesce(g.fact ->> 'subject', '') as subject,
      g.fact ->> 'unit' as unit,
      g.fact ->> 'source' as source,
      coalesce(g.fact ->> 'scope', '') as scope,
      (g.fact ->> 'value')::numeric as value,
      least((g.fact ->> 'at')::timestamptz, now()) as at,
      (g.fact ->> 'at')::timestamptz <= now() + interval '5 minutes' as has_come,
      g.place
    from (
      -- Limited here, so that the casts above meet only what has passed.
      select e.fact, e.place
      from hq.list_given_facts(p_evidence) as e
      where e.fact ->> 'name' ~ '^[a-z][a-z0-9_]{0,62}$'
        and e.fact ->> 'unit' ~ '^[A-Za-z]{1,16}$'
        and e.fact ->> 'source' ~ '^[a-z][a-z0-9_]{0,62}$'
        and coalesce(e.fact ->> 'subject', '') ~ '^[^[:cntrl:]]{0,100}$'
        and coalesce(e.fact ->> 'scope', '') ~ '^[a-z0-9]{0,64}$'
        and e.fact ->> 'value' ~ '^[-+]?[0-9]{1,24}([.][0-9]{1,12})?([eE][-+]?[0-9]{1,2})?$'
        and e.fact ->> 'at'
          ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[-+][0-9]{2}:[0-9]{2})$'
      order by e.place
      limit 200
    ) as g
  ) as f
  where f.has_come and f.at > now() - interval '400 days' and abs(f.value) < 1e24
  order by f.name, f.subject, f.unit, f.place;
end
$$;
revoke execute on function hq.read_facts from public, anon, authenticated;
comment on function hq.read_facts is 'Chiffres d''un rapport, lus dans ses preuves ; '
  'ce qui n''en est pas un est laissé de côté.';

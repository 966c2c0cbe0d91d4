-- Store facts in hq.report_facts: a value that its series has already moves seen_at of its row, another writes a row.
-- One that is older than the newest of its series is passed over, since history is not rewritten.
-- Locks the rows whose seen_at it moves, skips locked ones: settlements never wait for one another here, and none
-- deadlocks. Idempotent. A row that was seen less than a minute before is left as it is, which spares most writes.
-- In plpgsql because it is called for every report: its plan is kept for the session.
-- Raises what read_facts raises.
create or replace function hq.store_facts(p_run_id uuid, p_evidence jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  with given as materialized (
    select f.*, l.run_id as holder, l.value as last_value, l.scope as last_scope, l.seen_at as last_seen
    from hq.read_facts(p_evidence) as f
    left join lateral (
      select k.run_id, k.value, k.scope, k.seen_at
      from hq.report_facts as k
      where k.source = f.source and k.name = f.name and k.subject = f.subject and k.unit = f.unit
      order by k.since desc
      limit 1
    ) as l on true
  ),
  unchanged as (
    select k.run_id, k.name, k.subject, k.unit, g.at
    from given as g
    join hq.report_facts as k on k.run_id = g.holder and k.name = g.name and k.subject = g.subject and k.unit = g.unit
    where g.value = g.last_value and g.scope = g.last_scope and g.at > k.seen_at + interval '1 minute'
    for update of k skip locked
  ),
  moved as (
    update hq.report_facts as k
    set seen_at = u.at
    from unchanged as u
    where k.run_id = u.run_id and k.name = u.name and k.subject = u.subject and k.unit = u.unit
  )
  insert into hq.report_facts (run_id, name, subject, unit, source, scope, value, since, seen_at)
  select p_run_id, g.name, g.subject, g.unit, g.source, g.scope, g.value, g.at, g.at
  from given as g
  where g.holder is null
    or ((g.value, g.scope) is distinct from (g.last_value, g.last_scope) and g.at > g.last_seen)
  on conflict do nothing;
end
$$;
revoke execute on function hq.store_facts from public, anon, authenticated;
comment on function hq.store_facts is 'Écrit les chiffres d''un rapport : '
  'une valeur inchangée déplace la date de sa ligne, une autre en écrit une.';

-- Read what the facts of some sources were at earlier moments: in the last completed report of the same type and scope,
-- and a day, a week and 30 days ago: then the value that held, if it was seen at most 36 hours before the moment.
-- Read-only. [{lookback, name, subject, value, unit, source, scope, at}], 1,000 at most.
-- Raises what read_facts raises.
create or replace function hq.read_earlier_facts(p_run_type text, p_platform_key text, p_sources text[])
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = 'force_generic_plan'
as $$
#variable_conflict use_column
declare
  v_past jsonb;
begin
  select jsonb_build_array(jsonb_build_object('evidence_type', 'facts', 'data', e.data)) into v_past
  from (
    select n.id, n.created_at
    from (
      select r.id, r.status, r.platform_key, r.created_at
      from hq.runs as r
      where r.run_type = p_run_type and r.created_at > now() - interval '46 days'
      order by r.created_at desc
      limit 2000
    ) as n
    where n.status = 'completed' and n.platform_key is not distinct from p_platform_key
    order by n.created_at desc
    limit 1
  ) as p
  join hq.run_evidence as e on e.run_id = p.id and e.evidence_type = 'facts'
  limit 1;

  return (
    -- One step of the index per series, however many values each has had.
    with recursive series as (
      (
        select f.source, f.name, f.subject, f.unit
        from hq.report_facts as f
        order by f.source, f.name, f.subject, f.unit
        limit 1
      )
      union all
      select n.source, n.name, n.subject, n.unit
      from series as s
      cross join lateral (
        select f.source, f.name, f.subject, f.unit
        from hq.report_facts as f
        where (f.source, f.name, f.subject, f.unit) > (s.source, s.name, s.subject, s.unit)
        order by f.source, f.name, f.subject, f.unit
        limit 1
      ) as n
    ),
    earlier as (
      select 'report' as lookback, f.name, f.subject, f.value, f.unit, f.source, f.scope, f.at, 0 as place
      from hq.read_facts(v_past) as f
      union all
      select m.lookback, s.name, s.subject, k.value, s.unit, s.source, k.scope, least(k.seen_at, m.moment), m.place
      -- Of a thousand series no report has more than a part.
      from (select * from series limit 2000) as s
      cross join (
        values
          ('day', now() - interval '1 day', 1),
          ('week', now() - interval '7 days', 2),
          ('month', now() - interval '30 days', 3)
      ) as m (lookback, moment, place)
      cross join lateral (
        select f.value, f.scope, f.seen_at
        from hq.report_facts as f
        where f.source = s.source and f.name = s.name and f.subject = s.subject and f.unit = s.unit
          and f.since <= m.moment
        order by f.since desc
        limit 1
      ) as k
      where k.seen_at >= m.moment - interval '36 hours'
    )
    select coalesce(jsonb_agg(jsonb_build_object(
      'lookback', e.lookback, 'name', e.name, 'subject', nullif(e.subject, ''), 'value', e.value::text,
      'unit', e.unit, 'source', e.source, 'scope', e.scope, 'at', e.at
    ) order by e.place, e.source, e.name, e.subject), '[]')
    from (
      select l.*
      from earlier as l
      where l.source = any (p_sources) and (p_platform_key is null or l.subject in ('', p_platform_key))
      order by l.place
      limit 1000
    ) as e
  );
end
$$;
revoke execute on function hq.read_earlier_facts from public, anon, authenticated;
comment on function hq.read_earlier_facts is 'Ce que valaient les chiffres de quelques sources : '
  'dans le rapport précédent, la veille, sept et trente jours plus tôt.';

-- Read the latest completed report of a type and scope that was verified and contradicts nothing, for the next report:
-- {run_id, completed_at, text, before, superseded, doubted}. before: the text of the completed report before it, of
-- which it was shown a part; superseded: a later report was completed, and was shown this one; doubted: its words that
-- could not be verified. A report without verification is not remembered.
-- Read-only. The 45 days before now, the latest 20 reports of the scope among 2,000 runs of the type; null where there
-- is none.
-- Raises nothing.
create or replace function hq.read_past_report(p_run_type text, p_platform_key text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
-- By the index in its order, and no further than needed: a bitmap would read all 2,000 to sort them.
set enable_bitmapscan = off
-- Where nothing but a disabled plan is left, its penalty is above jit_above_cost: each call would JIT-compile it.
set jit = off
as $$
#variable_conflict use_column
begin
  return (
    with reports as materialized (
      select n.id, n.completed_at, row_number() over (order by n.created_at desc, n.id) as place
      -- No more are read than it takes to find twenty: each is a page of its own.
      from (
        select r.id, r.status, r.platform_key, r.completed_at, r.created_at
        from hq.runs as r
        where r.run_type = p_run_type and r.created_at > now() - interval '46 days'
        order by r.created_at desc
        limit 2000
      ) as n
      where n.status = 'completed' and n.platform_key is not distinct from p_platform_key
        and n.completed_at between now() - interval '45 days' and now()
      order by n.created_at desc, n.id
      limit 20
    ),
    remembered as (
      select p.id, p.completed_at, p.place, v.data
      from reports as p
      cross join lateral (
        select e.data
        from hq.run_evidence as e
        where e.run_id = p.id and e.evidence_type = 'verification'
        order by e.created_at desc
        limit 1
      ) as v
      where v.data -> 'contradicted' = '0'
      order by p.place
      limit 1
    )
    select jsonb_build_object(
      'run_id', m.id,
      'completed_at', m.completed_at,
      'text', (select left(r.executive_summary, 20000) from hq.runs as r where r.id = m.id),
      'before', (
        select left(r.executive_summary, 20000)
        from reports as b
        join hq.runs as r on r.id = b.id
        where b.place = m.place + 1
      ),
      'superseded', m.place > 1,
      'doubted', array(
        select f.fault ->> 'quote'
        from jsonb_array_elements(
          case when jsonb_typeof(m.data -> 'faults') = 'array' then m.data -> 'faults' else '[]' end
        ) as f (fault)
        where f.fault ->> 'kind' = 'unverified' and f.fault ->> 'quote' <> ''
        limit 50
      )
    )
    from remembered as m
  );
end
$$;
revoke execute on function hq.read_past_report from public, anon, authenticated;
comment on function hq.read_past_report is 'Dernier rapport vérifié et sans contradiction, du même type et du même '
  'périmètre, que le suivant peut rappeler.';

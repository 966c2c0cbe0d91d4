-- Read what a report leaves to be followed up, from its evidence: {decisions, priorities, alerts}, each a list of at
-- most ten lines of at most 200 characters; {} where the run brought none.
-- Read-only.
-- Raises nothing.
create or replace function hq.read_kept(p_run_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return coalesce(
    (
      select jsonb_object_agg(k.kind, (
        select coalesce(jsonb_agg(left(t.item, 200) order by t.place), '[]')
        from unnest(hq.read_texts(e.data -> k.kind)) with ordinality as t (item, place)
        where t.place <= 10
      ))
      from (
        select v.data from hq.run_evidence as v
        where v.run_id = p_run_id and v.evidence_type = 'kept'
        order by v.created_at desc
        limit 1
      ) as e
      cross join unnest(array['decisions', 'priorities', 'alerts']) as k (kind)
    ),
    '{}'
  );
end
$$;
revoke execute on function hq.read_kept from public, anon, authenticated;
comment on function hq.read_kept is 'Décisions, priorités et alertes qu''un rapport laisse à suivre.';

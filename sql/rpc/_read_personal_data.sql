-- Read the catalogue of personal data: {tables, columns, without_row_security, open_to_anon, kinds: {kind: tables},
-- list: [{table, kinds, columns, row_security, policies, open_to}]}, the least protected first, eighty at most.
-- Read-only. Raises nothing.
create or replace function hq.read_personal_data()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return (
    with found as materialized (
      select l.* from hq.list_personal_columns() as l
    )
    select jsonb_build_object(
      'tables', count(*),
      'columns', coalesce(sum(f.columns), 0),
      'without_row_security', count(*) filter (where not f.row_security),
      'open_to_anon', count(*) filter (where 'anon' = any (f.open_to)),
      'kinds', (
        select coalesce(jsonb_object_agg(k.kind, k.tables), '{}')
        from (select u.kind, count(*) as tables from found as g cross join unnest(g.kinds) as u (kind) group by 1) as k
      ),
      'list', (
        select coalesce(jsonb_agg(jsonb_build_object(
          'table', s.schema_name || '.' || s.table_name, 'kinds', s.kinds, 'columns', s.columns,
          'row_security', s.row_security, 'policies', s.policies, 'open_to', s.open_to
        ) order by s.row_security, cardinality(s.open_to) desc, s.columns desc, s.schema_name, s.table_name), '[]')
        from (
          select g.* from found as g
          order by g.row_security, cardinality(g.open_to) desc, g.columns desc, g.schema_name, g.table_name
          limit 80
        ) as s
      )
    )
    from found as f
  );
end
$$;
revoke execute on function hq.read_personal_data from public, anon, authenticated;
comment on function hq.read_personal_data is 'Catalogue des données personnelles : '
  'noms de tables, catégories et protection.';

-- Read what the catalogue says about access: tables with row security, policies and grants; functions open to anon.
-- Read-only. Of each kind 300 at most, what is most exposed first: count_hq_catalogue says how many there are.
-- Raises nothing.
create or replace function public.read_hq_catalogue()
returns table (
  kind text,
  schema_name text,
  object_name text,
  row_security boolean,
  policies text[],
  open_to text[]
)
language sql
stable
security definer
set search_path = ''
as $$
  with entries as materialized (
    select e.* from hq.list_catalogue() as e
  )
  (
    select t.* from entries as t
    where t.kind = 'table'
    order by t.row_security, cardinality(t.open_to) = 0, cardinality(t.policies) > 0, t.schema_name, t.object_name
    limit 300
  )
  union all
  (
    select f.* from entries as f where f.kind = 'function' order by f.schema_name, f.object_name limit 300
  )
$$;
revoke execute on function public.read_hq_catalogue from public, anon, authenticated;
grant execute on function public.read_hq_catalogue to service_role;
comment on function public.read_hq_catalogue is 'Catalogue des accès, pour l''audit : '
  'noms des tables, politiques et fonctions ouvertes, aucune donnée.';

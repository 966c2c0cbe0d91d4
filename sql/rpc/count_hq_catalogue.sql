-- Count what the catalogue says about access: a list of it may be cut, by us or by the API, its counts may not.
-- Read-only.
-- Raises nothing.
create or replace function public.count_hq_catalogue()
returns table (
  tables integer,
  without_row_security integer,
  without_policy integer,
  functions_open_to_anon integer
)
language sql
stable
security definer
set search_path = ''
as $$
  select
    (count(*) filter (where e.kind = 'table'))::integer,
    (count(*) filter (where e.kind = 'table' and not e.row_security))::integer,
    (count(*) filter (where e.kind = 'table' and e.row_security and cardinality(e.policies) = 0))::integer,
    (count(*) filter (where e.kind = 'function'))::integer
  from hq.list_catalogue() as e
$$;
revoke execute on function public.count_hq_catalogue from public, anon, authenticated;
grant execute on function public.count_hq_catalogue to service_role;
comment on function public.count_hq_catalogue is 'Nombre de tables, de tables sans RLS ou sans politique, '
  'et de fonctions ouvertes à anon.';

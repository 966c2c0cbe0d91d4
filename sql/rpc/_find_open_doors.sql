-- Find the privileges of hq.closed_doors that are granted although they should be revoked, by SQL name and signature.
-- Read-only. An object that the host does not have counts as closed.
-- Raises nothing.
create or replace function hq.find_open_doors()
returns table (object text, kind text, in_public boolean, reason text)
language sql
stable
security definer
set search_path = ''
as $$
  select p.oid::regprocedure::text, d.kind, n.nspname = 'public', d.reason
  from hq.closed_doors as d
  join pg_catalog.pg_namespace as n on n.nspname = split_part(d.object_name, '.', 1)
  join pg_catalog.pg_proc as p on p.pronamespace = n.oid and p.proname = split_part(d.object_name, '.', 2)
  where d.kind = 'function'
    -- Whoever may execute as PUBLIC is seen in what anon may.
    and (has_function_privilege('anon', p.oid, 'execute') or has_function_privilege('authenticated', p.oid, 'execute'))
  union all
  select c.oid::regclass::text, d.kind, false, d.reason
  from hq.closed_doors as d
  join pg_catalog.pg_class as c on c.oid = to_regclass(d.object_name)
  where d.kind = 'table' and not c.relrowsecurity
  order by 1
$$;
revoke execute on function hq.find_open_doors from public, anon, authenticated;
comment on function hq.find_open_doors is 'Portes de hq.closed_doors restées ou redevenues ouvertes.';

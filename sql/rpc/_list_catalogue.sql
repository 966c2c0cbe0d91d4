-- List what the catalogue says about access: tables with row security, policies and grants; functions open to anon.
-- Read-only. Names alone, no expression and no row, since it is shown to a model; the platform's own schemas and
-- what extensions created are left out. Not bounded: the function that serves it is.
-- Raises nothing.
create or replace function hq.list_catalogue()
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
  with schemas as (
    select n.oid, n.nspname
    from pg_catalog.pg_namespace as n
    where n.nspname !~ '^(pg_|_)'
      and n.nspname <> all (array[
        'information_schema', 'auth', 'storage', 'realtime', 'extensions', 'graphql', 'graphql_public', 'vault',
        'cron', 'net', 'pgsodium', 'pgbouncer', 'supabase_functions', 'supabase_migrations'
      ])
  ),
  tables as (
    select s.oid as schema_oid, s.nspname, c.oid, c.relname, c.relrowsecurity
    from schemas as s
    join pg_catalog.pg_class as c on c.relnamespace = s.oid and c.relkind in ('r', 'p')
    where not exists (
      select from pg_catalog.pg_depend as d
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
  )
  select
    'table', t.nspname::text, t.relname::text, t.relrowsecurity,
    array(
      select format(
        '%s (%s, %s)',
        p.polname,
        case p.polcmd
          when 'r' then 'select'
          when 'a' then 'insert'
          when 'w' then 'update'
          when 'd' then 'delete'
          else 'all'
        end,
        (
          select string_agg(coalesce(r.rolname::text, 'public'), ' + ' order by r.rolname)
          from unnest(p.polroles) as held (role_oid)
          left join pg_catalog.pg_roles as r on r.oid = held.role_oid
        )
      )
      from pg_catalog.pg_policy as p
      where p.polrelid = t.oid
      order by p.polname
    ),
    array(
      select r.name
      from unnest(array['anon', 'authenticated']) as r (name)
      where has_schema_privilege(r.name, t.schema_oid, 'usage')
        and has_any_column_privilege(r.name, t.oid, 'select, insert, update')
    )
  from tables as t
  union all
  select 'function', s.nspname::text, f.proname::text, null, null, array['anon']
  from schemas as s
  join pg_catalog.pg_proc as f on f.pronamespace = s.oid and f.prokind in ('f', 'p')
  where has_schema_privilege('anon', s.oid, 'usage')
    and has_function_privilege('anon', f.oid, 'execute')
    and f.prorettype <> all (array['trigger'::regtype, 'event_trigger'::regtype])
    and not exists (
      select from pg_catalog.pg_depend as d
      where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
    )
$$;
revoke execute on function hq.list_catalogue from public, anon, authenticated;
comment on function hq.list_catalogue is 'Catalogue des accès, sans limite : '
  'tables, politiques et fonctions ouvertes, aucune donnée.';
